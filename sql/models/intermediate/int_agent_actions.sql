{{ incremental_by_item() }}
-- One row per action that a person took on a mention or a case that is alive, with what it counts for.
with items as (
    select * from {{ ref('int_items') }}
    where deleted_at is null and {{ is_touched('object') }}
),

-- A resolve is undone when the next action that sets a status reopens the item.
undone_resolves as (
    select
        account_id,
        object,
        unique_id,
        action_number,
        lead(is_reopening) over (partition by account_id, object, unique_id order by action_number) as is_undone
    from {{ ref('int_actions') }}
    where status_set is not null and {{ is_touched('object') }}
    qualify is_resolve and is_undone
),

actions as (
    select
        actions.account_id,
        actions.object,
        actions.unique_id,
        actions.action_number,
        actions.agent_id,
        case
            when actions.action_type in ('reply', 'assign', 'status', 'tag', 'note', 'like') then actions.action_type
            else 'other'
        end as action_kind,
        items.author_id,
        items.is_own,
        actions.is_resolve,
        undone_resolves.action_number is not null as is_undone_resolve,
        actions.is_reopening,
        not items.is_own and actions.action_number = events.first_human_action_number as is_first_human_action,
        not items.is_own and actions.action_number is not distinct from events.first_human_reply_number as is_first_human_response,
        not items.is_own and actions.action_number is not distinct from events.first_resolve_number as is_first_resolve,
        items.published_at,
        items.item_at,
        actions.action_at,
        actions.schedule_id,
        items.api_handle_time_seconds
    from {{ ref('int_actions') }} as actions
    inner join items
        on actions.account_id = items.account_id
        and actions.object = items.object
        and actions.unique_id = items.unique_id
    inner join {{ ref('int_item_events') }} as events
        on actions.account_id = events.account_id
        and actions.object = events.object
        and actions.unique_id = events.unique_id
    left join undone_resolves
        on actions.account_id = undone_resolves.account_id
        and actions.object = undone_resolves.object
        and actions.unique_id = undone_resolves.unique_id
        and actions.action_number = undone_resolves.action_number
    where
        actions.agent_id is not null
        and actions.action_at is not null
        and {{ is_touched('actions.object', 'actions') }}
)

select
    actions.account_id,
    actions.object,
    actions.unique_id,
    actions.action_number,
    actions.agent_id,
    actions.action_kind,
    actions.author_id,
    actions.is_own,
    actions.is_resolve,
    actions.is_undone_resolve,
    actions.is_reopening,
    actions.is_first_human_action,
    actions.is_first_human_response,
    actions.is_first_resolve,
    coalesce(actions.action_at <= actions.item_at + interval 28 days, false) as is_within_28_days,
    actions.action_at,
    {{ reporting_date('actions.action_at') }} as action_date,
    {{ is_in_hours('at_action', 'actions.action_at') }} as is_in_business_hours,
    {{ seconds_between('actions.published_at', 'actions.action_at') }} as since_publication_seconds,
    {{ business_seconds_between('at_publication', 'actions.published_at', 'at_action', 'actions.action_at') }}
        as since_publication_business_hours_seconds,
    case when actions.is_first_resolve then actions.api_handle_time_seconds end as api_handle_time_seconds
from actions
{{ business_clock('at_publication', 'actions.account_id', 'actions.schedule_id', 'actions.published_at') }}
{{ business_clock('at_action', 'actions.account_id', 'actions.schedule_id', 'actions.action_at') }}
