{{ incremental_by_item(summed=[
    'account_id', 'object', 'status', 'is_deleted', 'started_by_agent_id', 'started_at', 'ended_at',
]) }}
-- One row per mention or case and stretch of time in one status.
with intervals as (
    select
        account_id,
        object,
        unique_id,
        status_number,
        any_value(status) as status,
        min(started_at) as started_at,
        arg_min(
            struct_pack(
                previous_status := previous_status,
                agent_id := started_by_agent_id,
                kind := started_by_actor_kind
            ),
            interval_number
        ) as starter,
        arg_max(
            struct_pack(
                ended_at := ended_at,
                agent_id := ended_by_agent_id,
                kind := ended_by_actor_kind,
                schedule_id := schedule_id
            ),
            interval_number
        ) as ending
    from {{ of_touched(ref('int_state_intervals')) }}
    group by account_id, object, unique_id, status_number
),

in_order as (
    select
        *,
        ending.ended_at,
        ending.schedule_id,
        starter.previous_status
    from intervals
)

select
    in_order.account_id,
    in_order.object,
    in_order.unique_id,
    in_order.status_number as interval_number,
    in_order.status,
    in_order.previous_status,
    case
        when in_order.previous_status is null then 'first'
        when {{ stage_of('in_order.status') }} > {{ stage_of('in_order.previous_status') }} then 'forward'
        else 'backward'
    end as direction,
    in_order.started_at,
    in_order.ended_at,
    in_order.ended_at is null as is_current,
    in_order.ended_at is null and (in_order.status is distinct from items.status) as is_contradicted,
    items.deleted_at is not null as is_deleted,
    in_order.starter.agent_id as started_by_agent_id,
    in_order.starter.kind as started_by_actor_kind,
    in_order.ending.agent_id as ended_by_agent_id,
    in_order.ending.kind as ended_by_actor_kind,
    in_order.schedule_id,
    {{ seconds_between('in_order.started_at', 'in_order.ended_at') }} as interval_seconds,
    {{ business_seconds_between('at_start', 'in_order.started_at', 'at_end', 'in_order.ended_at') }}
        as interval_business_hours_seconds
from in_order
inner join {{ touched_items() }} as items
    on in_order.account_id = items.account_id
    and in_order.object = items.object
    and in_order.unique_id = items.unique_id
{{ business_clock('at_start', 'in_order.account_id', 'in_order.schedule_id', 'in_order.started_at') }}
{{ business_clock('at_end', 'in_order.account_id', 'in_order.schedule_id', 'in_order.ended_at') }}
