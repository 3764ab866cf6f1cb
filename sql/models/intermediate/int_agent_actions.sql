{{ incremental_by_item() }}
-- One row per action that a person took on a mention or a case that is alive.
with items as (
    select account_id, object, unique_id, author_id, is_own, item_at
    from {{ ref('int_items') }}
    where deleted_at is null and {{ is_touched('object') }}
),

-- Hours by date: an action is looked up on its date, which costs a fraction of an as-of join of all actions.
hours_by_date as (
    select
        account_id,
        schedule_id,
        starts_at,
        ends_at,
        unnest(generate_series(
            date_trunc('day', timezone('UTC', starts_at)), timezone('UTC', ends_at), interval 1 day
        ))::date as utc_date
    from {{ ref('int_business_intervals') }}
    where stretch_seconds > 0
),

known_schedules as (
    select distinct account_id, schedule_id
    from {{ ref('int_business_intervals') }}
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
    coalesce(actions.action_at <= items.item_at + interval 28 days, false) as is_within_28_days,
    actions.action_at,
    {{ reporting_date('actions.action_at') }} as action_date,
    case when known_schedules.schedule_id is not null then hours_by_date.starts_at is not null end as is_in_business_hours
from {{ ref('int_actions') }} as actions
inner join items
    on actions.account_id = items.account_id
    and actions.object = items.object
    and actions.unique_id = items.unique_id
left join known_schedules
    on actions.account_id = known_schedules.account_id
    and actions.schedule_id = known_schedules.schedule_id
left join hours_by_date
    on actions.account_id = hours_by_date.account_id
    and actions.schedule_id = hours_by_date.schedule_id
    and cast(timezone('UTC', actions.action_at) as date) = hours_by_date.utc_date
    and actions.action_at >= hours_by_date.starts_at
    and actions.action_at < hours_by_date.ends_at
where
    actions.agent_id is not null
    and actions.action_at is not null
    and {{ is_touched('actions.object', 'actions') }}
