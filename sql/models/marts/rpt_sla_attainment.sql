{{ config(materialized='view') }}
-- One row per account, policy, date, topic and channel: counts and sums, which add up, and what is made of them.
with events as (
    select *, {{ reporting_date('started_at') }} as started_date
    from {{ ref('fct_sla_events') }}
)

select
    account_id,
    policy_id,
    object,
    metric,
    started_date,
    topic_id,
    channel,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    count(*) as event_count,
    count(*) filter (where is_counted) as counted_count,
    count(*) filter (where is_counted and not is_breached) as met_count,
    count(*) filter (where is_counted and is_breached) as breached_count,
    count(*) filter (where is_active) as active_count,
    count(*) filter (where end_reason = 'superseded') as superseded_count,
    count(*) filter (where end_reason = 'cancelled') as cancelled_count,
    count(*) filter (where end_reason not in ('superseded', 'cancelled') and not is_clock_known) as unknown_count,
    count(elapsed_seconds) filter (where is_counted) as elapsed_known_count,
    cast(coalesce(sum(elapsed_seconds) filter (where is_counted), 0) as bigint) as elapsed_seconds_sum,
    met_count / nullif(counted_count, 0) as attainment_share,
    avg(elapsed_seconds) filter (where is_counted) as elapsed_mean_seconds,
    quantile_cont(elapsed_seconds, 0.9) filter (where is_counted) as elapsed_p90_seconds
from events
group by account_id, policy_id, object, metric, started_date, topic_id, channel
