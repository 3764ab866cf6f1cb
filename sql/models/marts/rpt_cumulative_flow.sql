{{ config(materialized='view') }}
-- One row per account, object, status and date, from the account's first item to the day of the build.
with items as (
    {{ items_of_facts() }}
),

stretches as (
    select
        intervals.account_id,
        intervals.object,
        intervals.status,
        intervals.started_at,
        least(intervals.ended_at, items.deleted_at) as ended_at,
        as_of.as_of
    from {{ ref('fct_status_intervals') }} as intervals
    inner join items
        on intervals.account_id = items.account_id
        and intervals.object = items.object
        and intervals.unique_id = items.unique_id
    inner join {{ ref('agg_account_summary') }} as as_of on intervals.account_id = as_of.account_id
    -- A stretch that ends before it starts, because clocks differ, is none.
    where
        not items.is_own
        and intervals.started_at <= as_of.as_of
        and coalesce(intervals.started_at <= least(intervals.ended_at, items.deleted_at), true)
),

changes as (
    select account_id, object, status, {{ reporting_date('started_at') }} as flow_date, count(*) as entered_count, 0 as left_count
    from stretches
    group by all
    union all
    select account_id, object, status, {{ reporting_date('ended_at') }} as flow_date, 0 as entered_count, count(*) as left_count
    from stretches
    where ended_at <= as_of
    group by all
),

dates as (
    select account_id, unnest(generate_series(first_date, last_date, interval 1 day))::date as flow_date
    from (
        select
            account_id,
            min({{ reporting_date('started_at') }}) as first_date,
            any_value({{ reporting_date('as_of') }}) as last_date
        from stretches
        group by account_id
    )
),

by_date as (
    select * from changes
    union all by name
    select
        statuses.account_id,
        statuses.object,
        statuses.status,
        dates.flow_date,
        0 as entered_count,
        0 as left_count
    from (select distinct account_id, object, status from stretches) as statuses
    inner join dates on statuses.account_id = dates.account_id
)

select
    account_id,
    object,
    status,
    flow_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    cast(sum(entered_count) as bigint) as entered_count,
    cast(sum(left_count) as bigint) as left_count,
    cast(sum(sum(entered_count)) over so_far as bigint) as entered_so_far_count,
    cast(sum(sum(left_count)) over so_far as bigint) as left_so_far_count,
    cast(sum(sum(entered_count) - sum(left_count)) over so_far as bigint) as in_status_count
from by_date
group by account_id, object, status, flow_date
window so_far as (partition by account_id, object, status order by flow_date)
