{{ incremental_by_item() }}
-- One row per action that a person took on a mention or a case that is alive.
with items as (
    select account_id, object, unique_id, author_id, is_own, item_at
    from {{ of_touched(ref('int_items')) }}
    where deleted_at is null
)

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
    actions.is_reopening,
    coalesce({{ seconds_between('items.item_at', 'actions.action_at') }} <= 28 * 86400, false) as is_within_28_days,
    actions.action_at,
    {{ reporting_date('actions.action_at', 'day') }} as action_date,
    actions.is_in_business_hours
from {{ of_touched(ref('int_actions')) }} as actions
inner join items
    on actions.account_id = items.account_id
    and actions.object = items.object
    and actions.unique_id = items.unique_id
{{ reporting_day('day', 'actions.action_at') }}
where actions.agent_id is not null and actions.action_at is not null
