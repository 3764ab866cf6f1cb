{{ config(materialized='view') }}
-- One row per account and level, and per date, topic and channel where the level has them.
{%- set levels = [
    ['day', 'topic', 'channel'], ['day', 'topic'], ['day', 'channel'], ['topic', 'channel'],
    ['day'], ['topic'], ['channel'], [],
] %}
{%- set more_measures = [
    'first_response_business_hours', 'resolve_business_hours',
    'first_action', 'first_action_business_hours', 'first_assignment', 'first_assignment_business_hours',
] %}

with mentions as (
    select * from {{ ref('fct_mentions') }}
    where is_in_response_metrics and mention_date is not null
),

-- A percentile cannot be made from other percentiles, so each level is computed from the facts. The level is a constant
-- in each part, which lets the database skip the parts that a query's filter leaves out.
measured as (
{%- for level in levels %}
    select
        account_id,
        '{{ level | join("_") or "total" }}' as level,
        {{ 'mention_date' if 'day' in level else 'cast(null as date)' }} as mention_date,
        {{ 'topic_id' if 'topic' in level else "'all'" }} as topic_id,
        {{ 'channel' if 'channel' in level else "'all'" }} as channel,
        reporting_time_zone,
        count(*) as mention_count,
        count(*) filter (where has_reply) as replied_count,
        count(*) filter (where has_resolve) as resolved_count,
        {%- for measure in ['first_response', 'resolve'] + more_measures %}
        count({{ measure }}_seconds) as {{ measure }}_known_count,
        avg({{ measure }}_seconds) as {{ measure }}_mean_seconds,
        quantile_cont({{ measure }}_seconds, [0.5, 0.9, 0.95]) as {{ measure }}_percentiles
        {{- ',' if not loop.last }}
        {%- endfor %}
    from mentions
    group by all
    {%- if not loop.last %}
    union all
    {%- endif %}
{%- endfor %}
)

select
    measured.account_id,
    measured.level,
    measured.mention_date,
    measured.topic_id,
    case when measured.topic_id = 'all' then 'All topics' else topics.topic_name end as topic_name,
    measured.channel,
    measured.reporting_time_zone,
    measured.mention_count,
    measured.replied_count,
    measured.replied_count / measured.mention_count as replied_share,
    measured.first_response_known_count,
    measured.first_response_mean_seconds,
    measured.first_response_percentiles[1] as first_response_p50_seconds,
    measured.first_response_percentiles[2] as first_response_p90_seconds,
    measured.first_response_percentiles[3] as first_response_p95_seconds,
    first_response_mean_seconds / 60 as first_response_mean_minutes,
    first_response_p50_seconds / 60 as first_response_p50_minutes,
    first_response_p90_seconds / 60 as first_response_p90_minutes,
    first_response_p95_seconds / 60 as first_response_p95_minutes,
    measured.resolved_count,
    measured.resolved_count / measured.mention_count as resolved_share,
    measured.resolve_known_count,
    measured.resolve_mean_seconds,
    measured.resolve_percentiles[1] as resolve_p50_seconds,
    measured.resolve_percentiles[2] as resolve_p90_seconds,
    measured.resolve_percentiles[3] as resolve_p95_seconds,
    resolve_mean_seconds / 3600 as resolve_mean_hours,
    resolve_p50_seconds / 3600 as resolve_p50_hours,
    resolve_p90_seconds / 3600 as resolve_p90_hours,
    resolve_p95_seconds / 3600 as resolve_p95_hours
    {%- for measure in more_measures %},
    measured.{{ measure }}_known_count,
    measured.{{ measure }}_mean_seconds,
    measured.{{ measure }}_percentiles[1] as {{ measure }}_p50_seconds,
    measured.{{ measure }}_percentiles[2] as {{ measure }}_p90_seconds,
    measured.{{ measure }}_percentiles[3] as {{ measure }}_p95_seconds
    {%- endfor %}
from measured
left join {{ ref('dim_topics') }} as topics
    on measured.account_id = topics.account_id
    and measured.topic_id = topics.topic_id
