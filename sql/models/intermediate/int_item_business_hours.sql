{{ incremental_by_item() }}
-- One row per mention or case that has an action: its measures in business seconds, each in the hours of who ended it.
-- Null: has not ended, or a part of it is not known.
{%- set events = {
    'first_action': ['first_action_at', 'first_action_schedule_id'],
    'first_human_action': ['first_human_action_at', 'first_human_action_schedule_id'],
    'first_response': ['first_reply_at', 'first_reply_schedule_id'],
    'first_human_response': ['first_human_reply_at', 'first_human_reply_schedule_id'],
    'first_assignment': ['first_assigned_at', 'first_assignment_schedule_id'],
    'first_resolve': ['first_resolved_at', 'first_resolve_schedule_id'],
    'last_resolve': ['last_resolved_at', 'last_resolve_schedule_id'],
} %}
{%- set states = {'queue': 'not is_owned', 'owned': 'is_owned'} %}

with open as (
    select
        intervals.account_id,
        intervals.object,
        intervals.unique_id,
        intervals.is_owned,
        {{ business_seconds_between('at_start', 'intervals.started_at', 'at_end', 'intervals.ended_at') }} as business_seconds
    from {{ of_touched(ref('int_state_intervals')) }} as intervals
    {{ business_clock('at_start', 'intervals.account_id', 'intervals.schedule_id', 'intervals.started_at') }}
    {{ business_clock('at_end', 'intervals.account_id', 'intervals.schedule_id', 'intervals.ended_at') }}
    where intervals.status <> 'done' and intervals.ended_at is not null
),

open_by_item as (
    select
        account_id,
        object,
        unique_id
        {%- for measure, condition in states.items() %},
        case
            when count(*) filter (where {{ condition }} and business_seconds is null) = 0
                then cast(sum(business_seconds) filter (where {{ condition }}) as bigint)
        end as {{ measure }}_business_hours_seconds
        {%- endfor %}
    from open
    group by account_id, object, unique_id
)

select
    events.account_id,
    events.object,
    events.unique_id
{%- for measure, (ended_at, schedule_id) in events.items() %},
    {{ business_seconds_between(measure ~ '_start', 'items.published_at', measure ~ '_end', 'events.' ~ ended_at) }}
        as {{ measure }}_business_hours_seconds
{%- endfor %}
{%- for measure in states %},
    open_by_item.{{ measure }}_business_hours_seconds
{%- endfor %}
from {{ of_touched(ref('int_item_events')) }} as events
inner join {{ touched_items() }} as items
    on events.account_id = items.account_id
    and events.object = items.object
    and events.unique_id = items.unique_id
left join open_by_item
    on events.account_id = open_by_item.account_id
    and events.object = open_by_item.object
    and events.unique_id = open_by_item.unique_id
{%- for measure, (ended_at, schedule_id) in events.items() %}
{{ business_clock(measure ~ '_start', 'events.account_id', 'events.' ~ schedule_id, 'items.published_at') }}
{{ business_clock(measure ~ '_end', 'events.account_id', 'events.' ~ schedule_id, 'events.' ~ ended_at) }}
{%- endfor %}
