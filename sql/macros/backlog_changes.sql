{#-
    What comes into the backlog and leaves it: by account, object, topic, channel, status and date, the stretches of items
    not resolved that begin or end. The three relations have weights: int_state_intervals, fct_mentions and fct_cases.
    `condition` says which beginnings and ends count, by their `instant`.
-#}
{% macro backlog_changes(intervals, mentions, cases, condition) -%}
with items as (
    {%- for object, relation in {'mention': mentions, 'case': cases}.items() %}
    select
        weight,
        account_id,
        '{{ object }}' as object,
        unique_id,
        topic_id,
        channel,
        status,
        least({{ object }}_at, added_at) as came_at,
        deleted_at
    from {{ relation }}
    where not is_own
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

stretches as (
    select
        items.weight,
        items.account_id,
        items.object,
        items.topic_id,
        items.channel,
        intervals.status,
        not intervals.is_owned as is_unassigned,
        intervals.ended_at is null and (intervals.status is distinct from items.status) as is_contradicted,
        epoch_us(least(items.came_at, intervals.started_at)) // 1000000 as opened_second,
        intervals.started_at,
        least(intervals.ended_at, items.deleted_at) as ended_at
    from {{ intervals }} as intervals
    inner join items
        on intervals.account_id = items.account_id
        and intervals.object = items.object
        and intervals.unique_id = items.unique_id
        and intervals.weight = items.weight
    where intervals.status <> 'done'
),

-- A stretch that ends as it starts, or before, because clocks differ, is no time at which anything was open.
borders as (
    {%- for direction, instant in [(1, 'started_at'), (-1, 'ended_at')] %}
    select * exclude (started_at, ended_at), {{ instant }} as instant, {{ direction }} as direction
    from stretches
    where {{ instant }} is not null and coalesce(started_at < ended_at, true)
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
)

select
    account_id,
    object,
    topic_id,
    channel,
    status,
    {{ reporting_date('instant', 'day') }} as change_date,
    {{ counted() }} as change_count,
    {{ summed('direction') }} as open_change,
    {{ summed('direction', 'is_unassigned') }} as unassigned_change,
    {{ summed('direction', 'is_contradicted') }} as contradicted_change,
    {{ summed('direction * opened_second') }} as opened_second_change
from borders
{{ reporting_day('day', 'instant') }}
where {{ condition }}
group by account_id, object, topic_id, channel, status, {{ reporting_date('instant', 'day') }}
{%- endmacro %}
