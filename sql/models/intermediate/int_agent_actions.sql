{{ incremental_by_item() }}
-- One row per action that a person took on a mention or a case that is alive.
with items as (
    select account_id, object, unique_id, author_id, is_own, item_at
    from {{ ref('int_items') }}
    where deleted_at is null and {{ is_touched('object') }}
),

-- Hours by day of UTC: an action is looked up on its day, which costs a fraction of an as-of join of all actions.
hours_by_day as (
    select
        account_id,
        schedule_id,
        starts_at,
        ends_at,
        unnest(range({{ utc_day('starts_at') }}, {{ utc_day('ends_at') }} + 1)) as utc_day
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
    coalesce({{ seconds_between('items.item_at', 'actions.action_at') }} <= 28 * 86400, false) as is_within_28_days,
    actions.action_at,
    {{ reporting_date('actions.action_at') }} as action_date,
    case when known_schedules.schedule_id is not null then hours_by_day.starts_at is not null end as is_in_business_hours
from {{ ref('int_actions') }} as actions
inner join items
    on actions.account_id = items.account_id
    and actions.object = items.object
    and actions.unique_id = items.unique_id
left join known_schedules
    on actions.account_id = known_schedules.account_id
    and actions.schedule_id = known_schedules.schedule_id
left join hours_by_day
    on actions.account_id = hours_by_day.account_id
    and actions.schedule_id = hours_by_day.schedule_id
    and {{ utc_day('actions.action_at') }} = hours_by_day.utc_day
    and actions.action_at >= hours_by_day.starts_at
    and actions.action_at < hours_by_day.ends_at
where
    actions.agent_id is not null
    and actions.action_at is not null
    and {{ is_touched('actions.object', 'actions') }}
