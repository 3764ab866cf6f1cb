{{ incremental_by_item() }}
-- One row per mention or case of which a measure has ended: its measures in business seconds. Each is measured in the
-- hours of who ended it. A sum is null when a part of it is not known.
{%- set events = {
    'first_action': ['first_action_at', 'first_action_schedule_id'],
    'first_human_action': ['first_human_action_at', 'first_human_action_schedule_id'],
    'first_response': ['first_reply_at', 'first_reply_schedule_id'],
    'first_human_response': ['first_human_reply_at', 'first_human_reply_schedule_id'],
    'first_assignment': ['first_assigned_at', 'first_assignment_schedule_id'],
    'first_resolve': ['first_resolved_at', 'first_resolve_schedule_id'],
    'last_resolve': ['last_resolved_at', 'last_resolve_schedule_id'],
} %}
{%- set states = {
    'queue': "status <> 'done' and not is_owned",
    'owned': "status <> 'done' and is_owned",
} %}

with spans as (
{%- for measure, (ended_at, schedule_id) in events.items() %}
    select
        items.account_id,
        items.object,
        items.unique_id,
        '{{ measure }}' as measure,
        events.{{ schedule_id }} as schedule_id,
        items.published_at as started_at,
        events.{{ ended_at }} as ended_at
    from {{ ref('int_items') }} as items
    inner join {{ ref('int_item_events') }} as events
        on items.account_id = events.account_id
        and items.object = events.object
        and items.unique_id = events.unique_id
    where
        items.published_at is not null
        and events.{{ ended_at }} is not null
        and {{ is_touched('items.object', 'items') }}
    union all
{%- endfor %}
{%- for measure, condition in states.items() %}
    select account_id, object, unique_id, '{{ measure }}' as measure, schedule_id, started_at, ended_at
    from {{ ref('int_state_intervals') }}
    where {{ condition }} and ended_at is not null and {{ is_touched('object') }}
    {{- '\n    union all' if not loop.last }}
{%- endfor %}
),

measured as (
    select
        spans.account_id,
        spans.object,
        spans.unique_id,
        spans.measure,
        {{ business_seconds_between('at_start', 'spans.started_at', 'at_end', 'spans.ended_at') }} as business_seconds
    from spans
    {{ business_clock('at_start', 'spans.account_id', 'spans.schedule_id', 'spans.started_at') }}
    {{ business_clock('at_end', 'spans.account_id', 'spans.schedule_id', 'spans.ended_at') }}
)

select
    account_id,
    object,
    unique_id
{%- for measure in events.keys() | list + states.keys() | list %},
    case
        when count(*) filter (where measure = '{{ measure }}' and business_seconds is null) = 0
            then cast(sum(business_seconds) filter (where measure = '{{ measure }}') as bigint)
    end as {{ measure }}_business_hours_seconds
{%- endfor %}
from measured
group by account_id, object, unique_id
