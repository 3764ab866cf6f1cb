{{ incremental_by_item(summed=[
    'account_id', 'object', 'unique_id', 'status', 'is_owned', 'started_at', 'ended_at',
]) }}
-- One row per mention or case and stretch of time in which its status, and whether an agent had it, stayed the same.
with items as (
    select
        items.account_id,
        items.object,
        items.unique_id,
        items.added_at,
        -- The inbox gives what comes in as new. Where no action tells of a status, it has always been as it is.
        case when events.status_change_count > 0 then 'new' else coalesce(items.status, 'new') end as first_status
    from {{ touched_items() }} as items
    left join {{ of_touched(ref('int_item_events')) }} as events
        on items.account_id = events.account_id
        and items.object = events.object
        and items.unique_id = events.unique_id
    where items.added_at is not null
),

changed as (
    select
        account_id,
        object,
        unique_id,
        0 as action_number,
        added_at as turned_at,
        null as previous_status,
        first_status as status,
        false as is_owned,
        null as agent_id,
        null as actor_kind,
        null as schedule_id
    from items
    union all
    select
        actions.account_id,
        actions.object,
        actions.unique_id,
        actions.action_number,
        actions.action_at as turned_at,
        coalesce(actions.previous_status_set, items.first_status) as previous_status,
        coalesce(actions.status_set, actions.previous_status_set, items.first_status) as status,
        coalesce(len(actions.assigned_agent_ids) > 0, actions.was_owned) as is_owned,
        actions.agent_id,
        actions.actor_kind,
        actions.schedule_id
    from {{ of_touched(ref('int_actions')) }} as actions
    inner join items
        on actions.account_id = items.account_id
        and actions.object = items.object
        and actions.unique_id = items.unique_id
    where
        (
            actions.status_set <> coalesce(actions.previous_status_set, items.first_status)
            or (len(actions.assigned_agent_ids) > 0) <> actions.was_owned
        )
        and actions.action_at is not null
),

turns as (
    select
        *,
        row_number() over in_order as interval_number,
        count(*) filter (where status is distinct from previous_status) over in_order as status_number,
        lead(turned_at) over in_order as ended_at,
        lead(action_number) over in_order as ending_action_number,
        lead(agent_id) over in_order as ended_by_agent_id,
        lead(actor_kind) over in_order as ended_by_actor_kind,
        lead(schedule_id) over in_order as schedule_id_of_end
    from changed
    window in_order as (partition by account_id, object, unique_id order by action_number)
)

select
    account_id,
    object,
    unique_id,
    interval_number,
    status_number,
    status,
    previous_status,
    is_owned,
    turned_at as started_at,
    ended_at,
    agent_id as started_by_agent_id,
    actor_kind as started_by_actor_kind,
    ending_action_number,
    ended_by_agent_id,
    ended_by_actor_kind,
    schedule_id_of_end as schedule_id,
    {{ seconds_between('turned_at', 'ended_at') }} as interval_seconds
from turns
