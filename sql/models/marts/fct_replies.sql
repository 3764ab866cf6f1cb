{{ incremental_by_item() }}
-- One row per time that a customer waited, on a mention or in a case, and who ended it.
with items as (
    select *
    from {{ touched_items() }}
    where not is_own
),

-- On a mention a wait begins with its publication, and again when it is reopened. In a case each message of the
-- customer begins one, unless one is going on.
starts as (
    select account_id, object, unique_id, item_at as happened_at, published_at is not null as is_told, 0 as kind_order, 0 as number
    from items
    where object = 'mention' and item_at is not null
    union all
    select
        cases.account_id,
        'case' as object,
        cases.unique_id,
        coalesce(cases.published_at, cases.added_at) as happened_at,
        cases.published_at is not null as is_told,
        1 as kind_order,
        cases.position as number
    from {{ ref('stg_case_linked_mentions') }} as cases
    inner join items
        on cases.account_id = items.account_id
        and cases.unique_id = items.unique_id
        and items.object = 'case'
    left join {{ ref('int_items') }} as mentions
        on cases.account_id = mentions.account_id
        and cases.mention_unique_id = mentions.unique_id
        and mentions.object = 'mention'
    where coalesce(cases.published_at, cases.added_at) is not null and not coalesce(mentions.is_own, false)
),

actions as (
    select
        actions.account_id,
        actions.object,
        actions.unique_id,
        actions.action_at as happened_at,
        actions.action_number as number,
        actions.is_reply,
        actions.is_resolve,
        actions.is_reopening,
        actions.actor_kind,
        actions.agent_id,
        actions.schedule_id
    from {{ of_touched(ref('int_actions')) }} as actions
    inner join items
        on actions.account_id = items.account_id
        and actions.object = items.object
        and actions.unique_id = items.unique_id
    where actions.action_at is not null
    union all
    -- What is answered to a mention is answered in its case.
    select
        cases.account_id,
        'case' as object,
        cases.unique_id,
        actions.action_at as happened_at,
        actions.action_number as number,
        true as is_reply,
        false as is_resolve,
        false as is_reopening,
        actions.actor_kind,
        actions.agent_id,
        actions.schedule_id
    from {{ ref('stg_case_linked_mentions') }} as cases
    inner join items
        on cases.account_id = items.account_id
        and cases.unique_id = items.unique_id
        and items.object = 'case'
    inner join {{ ref('int_actions') }} as actions
        on cases.account_id = actions.account_id
        and cases.mention_unique_id = actions.unique_id
        and actions.object = 'mention'
    where actions.is_reply and actions.action_at is not null
),

events as (
    select
        account_id, object, unique_id, happened_at, kind_order, number,
        true as is_start, false as is_reply, is_told, null as actor_kind, null as agent_id, null as schedule_id
    from starts
    union all
    select
        account_id, object, unique_id, happened_at, 1 as kind_order, number,
        object = 'mention' and is_reopening as is_start, is_reply, true as is_told, actor_kind, agent_id, schedule_id
    from actions
    where is_reply or is_resolve or (object = 'mention' and is_reopening)
),

-- A publication comes first, whatever clocks say; in one second, a message comes before what is done about it. A bot's
-- reply ends a wait; when a person replied first within it, or to the next, is kept apart.
runs as (
    select
        *,
        row_number() over in_order as event_number,
        coalesce(lag(is_start) over in_order, false) as was_waiting,
        count(*) filter (where not is_start) over so_far as endings_before,
        min(happened_at) filter (where is_reply and actor_kind = 'human') over later as human_replied_at
    from events
    window
        in_order as (
            partition by account_id, object, unique_id
            order by kind_order, happened_at, is_start and kind_order = 1 and object = 'case' desc, number, actor_kind, agent_id
        ),
        so_far as (in_order rows between unbounded preceding and current row),
        later as (in_order rows between 1 following and unbounded following)
),

waits as (
    select
        account_id,
        object,
        unique_id,
        endings_before as ending_number,
        happened_at as started_at,
        is_told,
        human_replied_at,
        event_number
    from runs
    where is_start and not was_waiting
),

endings as (
    select *, endings_before - 1 as ending_number
    from runs
    where not is_start
),

paired as (
    select
        waits.*,
        endings.happened_at as ended_at,
        endings.is_reply,
        endings.actor_kind,
        endings.agent_id,
        endings.schedule_id,
        row_number() over (
            partition by waits.account_id, waits.object, waits.unique_id order by waits.event_number
        ) as wait_number
    from waits
    left join endings
        on waits.account_id = endings.account_id
        and waits.object = endings.object
        and waits.unique_id = endings.unique_id
        and waits.ending_number = endings.ending_number
)

select
    paired.account_id,
    paired.object,
    paired.unique_id,
    paired.wait_number,
    paired.started_at,
    paired.is_told as is_start_known,
    paired.ended_at,
    case when paired.ended_at is null then 'waiting' when paired.is_reply then 'reply' else 'resolve' end as end_reason,
    paired.actor_kind as ended_by_actor_kind,
    paired.agent_id as ended_by_agent_id,
    paired.human_replied_at,
    paired.schedule_id,
    case when paired.is_told then {{ seconds_between('paired.started_at', 'paired.ended_at') }} end as wait_seconds,
    case when paired.is_told then {{ seconds_between('paired.started_at', 'paired.human_replied_at') }} end
        as human_wait_seconds,
    case
        when paired.is_told
            then {{ business_seconds_between('at_start', 'paired.started_at', 'at_end', 'paired.ended_at') }}
    end as wait_business_hours_seconds,
    at_start.is_running as is_start_in_hours,
    at_end.is_running as is_end_in_hours
from paired
{{ business_clock('at_start', 'paired.account_id', 'paired.schedule_id', 'paired.started_at') }}
{{ business_clock('at_end', 'paired.account_id', 'paired.schedule_id', 'paired.ended_at') }}
