-- One row per account, object, topic, channel, status and date, from the first such item to the day of the build: what
-- was open when the date ended.
{%- set sums = ['open', 'unassigned', 'contradicted', 'opened_second'] %}
{%- set keys = 'account_id, object, topic_id, channel, status' %}

-- Clocks differ, and a reading goes on while the build's instant stands: what is later has not happened yet. Nearly always
-- nothing is, which the database tells from a literal without reading a row.
{%- set now = "cast('" ~ (as_of() | trim) ~ "' as timestamp with time zone)" %}

with later_intervals as not materialized (
    select 1 as weight, intervals.*
    from {{ ref('int_state_intervals') }} as intervals
    where intervals.started_at > {{ now }} or intervals.ended_at > {{ now }}
),

later as (
    {{ backlog_changes(
        'later_intervals',
        '(select 1 as weight, * from ' ~ ref('fct_mentions') ~ ')',
        '(select 1 as weight, * from ' ~ ref('fct_cases') ~ ')',
        'instant > ' ~ now
    ) | indent(4) }}
),

changes as (
    select
        {{ keys }},
        change_date,
        cast(sum(change_count) as bigint) as change_count
        {%- for name in sums %},
        cast(sum({{ name }}_change) as bigint) as {{ name }}_change
        {%- endfor %}
    from (
        select * from {{ ref('int_backlog_changes') }}
        union all by name
        select
            {{ keys }},
            change_date,
            -change_count as change_count
            {%- for name in sums %},
            -{{ name }}_change as {{ name }}_change
            {%- endfor %}
        from later
    )
    group by {{ keys }}, change_date
    having sum(change_count) <> 0
),

-- The last day has not ended: it is as the build found it.
dates as (
    select
        backlog_date,
        least({{ first_instant_of("cast(backlog_date + 1 as timestamp)", "'" ~ var('reporting_time_zone') ~ "'") }}, {{ now }})
            as measured_at
    from (
        select cast(unnest(generate_series(min(change_date), {{ reporting_date(now) }}, interval 1 day)) as date) as backlog_date
        from changes
    )
),

firsts as (
    select {{ keys }}, min(change_date) as first_date
    from changes
    group by {{ keys }}
),

-- A running sum of changes is the backlog, and never is there a row for each item and day. Ages add up in the same way:
-- so many items, less the sum of the instants of their coming.
running as (
    select
        firsts.*,
        dates.backlog_date,
        dates.measured_at
        {%- for name in sums %},
        sum(coalesce(changes.{{ name }}_change, 0)) over so_far as {{ name }}_sum
        {%- endfor %}
    from firsts
    inner join dates on firsts.first_date <= dates.backlog_date
    left join changes
        on firsts.account_id = changes.account_id
        and firsts.object = changes.object
        and firsts.topic_id = changes.topic_id
        and firsts.channel = changes.channel
        and firsts.status = changes.status
        and dates.backlog_date = changes.change_date
    window so_far as (
        partition by firsts.account_id, firsts.object, firsts.topic_id, firsts.channel, firsts.status
        order by dates.backlog_date
    )
)

select
    {{ keys }},
    backlog_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    measured_at,
    cast(open_sum as bigint) as open_count,
    cast(unassigned_sum as bigint) as unassigned_count,
    cast(contradicted_sum as bigint) as contradicted_count,
    cast(open_sum * (epoch_us(measured_at) // 1000000) - opened_second_sum as bigint) as age_seconds_sum
from running
