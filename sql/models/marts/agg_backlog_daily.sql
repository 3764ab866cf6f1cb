-- One row per account, object, topic, channel, status and date, from the first such item to the day of the build: what
-- was open when the date ended.
with items as (
    select *
    from {{ ref('int_items') }}
    where not is_own
),

stretches as (
    select
        items.account_id,
        items.object,
        items.topic_id,
        items.channel,
        intervals.status,
        not intervals.is_owned as is_unassigned,
        intervals.ended_at is null and (intervals.status is distinct from items.status) as is_contradicted,
        epoch_us(least(items.item_at, items.added_at, intervals.started_at)) // 1000000 as opened_second,
        intervals.started_at,
        least(intervals.ended_at, items.deleted_at) as ended_at
    from {{ ref('int_state_intervals') }} as intervals
    inner join items
        on intervals.account_id = items.account_id
        and intervals.object = items.object
        and intervals.unique_id = items.unique_id
    where intervals.status <> 'done'
),

-- A stretch that ends as it starts, or before, because clocks differ, is no time at which anything was open.
open as (
    select stretches.*, as_of.as_of
    from stretches, {{ ref('int_as_of') }} as as_of
    where
        stretches.started_at <= as_of.as_of
        and coalesce(stretches.started_at < stretches.ended_at, true)
),

-- What a date adds to what is open, and what it takes away: a running sum of both is the backlog, and never is there a
-- row for each item and day. Ages add up in the same way: so many items, less the sum of the instants of their coming.
changes as (
    {%- for sign, instant in [('', 'started_at'), ('-', 'ended_at')] %}
    select
        account_id,
        object,
        topic_id,
        channel,
        status,
        {{ reporting_date(instant, 'day') }} as backlog_date,
        {{ sign }}count(*) as open_change,
        {{ sign }}count(*) filter (where is_unassigned) as unassigned_change,
        {{ sign }}count(*) filter (where is_contradicted) as contradicted_change,
        {{ sign }}sum(opened_second) as opened_second_change
    from open
    {{ reporting_day('day', instant) }}
    where {{ instant }} <= as_of
    group by all
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

dates as (
    select
        firsts.* exclude (first_date, last_date),
        unnest(generate_series(firsts.first_date, firsts.last_date, interval 1 day))::date as backlog_date
    from (
        select
            changes.account_id,
            changes.object,
            changes.topic_id,
            changes.channel,
            changes.status,
            min(changes.backlog_date) as first_date,
            any_value({{ reporting_date('as_of.as_of') }}) as last_date
        from changes, {{ ref('int_as_of') }} as as_of
        group by changes.account_id, changes.object, changes.topic_id, changes.channel, changes.status
    ) as firsts
),

by_date as (
    select * from changes
    union all by name
    select *, 0 as open_change, 0 as unassigned_change, 0 as contradicted_change, 0 as opened_second_change from dates
),

running as (
    select
        account_id,
        object,
        topic_id,
        channel,
        status,
        backlog_date,
        {%- for name in ['open', 'unassigned', 'contradicted', 'opened_second'] %}
        sum(sum({{ name }}_change)) over so_far as {{ name }}_sum{{ ',' if not loop.last }}
        {%- endfor %}
    from by_date
    group by account_id, object, topic_id, channel, status, backlog_date
    window so_far as (partition by account_id, object, topic_id, channel, status order by backlog_date)
),

measured as (
    select
        running.*,
        -- The last day has not ended: it is as the build found it.
        least({{ first_instant_of("cast(running.backlog_date + 1 as timestamp)", "'" ~ var('reporting_time_zone') ~ "'") }}, as_of.as_of)
            as measured_at
    from running, {{ ref('int_as_of') }} as as_of
)

select
    account_id,
    object,
    topic_id,
    channel,
    status,
    backlog_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    measured_at,
    cast(open_sum as bigint) as open_count,
    cast(unassigned_sum as bigint) as unassigned_count,
    cast(contradicted_sum as bigint) as contradicted_count,
    cast(open_sum * (epoch_us(measured_at) // 1000000) - opened_second_sum as bigint) as age_seconds_sum
from measured
