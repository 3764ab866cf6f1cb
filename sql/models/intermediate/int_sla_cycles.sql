{{ incremental_by_item() }}
{{ config(pre_hook='{{ forget_changed_policies(this) }}') }}
-- One row per mention or case, policy, cycle of the policy's clock on it, and application of the policy to the cycle.
-- Nothing here depends on the instant of the build, on hours, or on a target: fct_sla_events adds those.
with policies as (
    select *, {{ is_policy_unbuilt('selection') }} as is_unbuilt
    from {{ ref('int_sla_policies') }}
),

-- All else starts from these pairs: without policies there are none, and nothing is read. Of a policy of which nothing
-- has been built every item is looked at, touched or not.
matches as (
{%- for is_unbuilt, items in [('true', ref('int_items')), ('false', touched_items())] %}
    select
        items.account_id,
        items.object,
        items.unique_id,
        items.topic_id,
        items.channel,
        items.priority_name,
        items.published_at,
        items.item_at,
        items.deleted_at,
        policies.policy_id,
        policies.selection,
        policies.metric,
        policies.priority,
        policies.valid_from,
        policies.valid_to
    from policies
    inner join {{ items }} as items
        on policies.object = items.object
        and coalesce(policies.account_id = items.account_id, true)
        and coalesce(policies.topic_id = items.topic_id, true)
        and coalesce(policies.channel = items.channel, true)
    where
        policies.is_unbuilt = {{ is_unbuilt }}
        and not items.is_own
        and items.item_at is not null
        and (
            policies.tag is null
            or (
                items.object = 'mention'
                and (items.account_id, items.unique_id, policies.tag) in (
                    select (account_id, unique_id, tag) from {{ ref('stg_mention_tags') }}
                    where tag in (select wanted.tag from policies as wanted)
                )
            )
        )
    {{- '\n    union all' if not loop.last }}
{%- endfor %}
),

measured as (
    select distinct account_id, object, unique_id, metric, priority_name, published_at, item_at, deleted_at
    from matches
),

measured_items as (
    select distinct account_id, object, unique_id, priority_name
    from measured
),

actions as (
    select actions.*
    from {{ ref('int_actions') }} as actions
    inner join measured_items
        on actions.account_id = measured_items.account_id
        and actions.object = measured_items.object
        and actions.unique_id = measured_items.unique_id
    where
        actions.action_at is not null
        and (actions.is_reply or actions.is_resolve or actions.is_reopening or actions.priority_set is not null)
),

-- What is answered to a mention is answered in its case, once there is the case.
answers as (
    select account_id, object, unique_id, action_at as happened_at, action_number as number, is_resolve
    from actions
    where is_reply or is_resolve
    union all
    select
        cases.account_id,
        'case' as object,
        cases.unique_id,
        actions.action_at as happened_at,
        actions.action_number as number,
        false as is_resolve
    from measured
    inner join {{ ref('stg_case_linked_mentions') }} as cases
        on measured.account_id = cases.account_id
        and measured.unique_id = cases.unique_id
    inner join {{ ref('int_actions') }} as actions
        on cases.account_id = actions.account_id
        and cases.mention_unique_id = actions.unique_id
        and actions.object = 'mention'
    where
        measured.object = 'case'
        and measured.metric = 'first_response'
        and actions.is_reply
        and actions.action_at >= measured.item_at
),

first_answers as (
    select
        account_id,
        object,
        unique_id,
        min(struct_pack(happened_at := happened_at, number := number, is_resolve := is_resolve)) as answer
    from answers
    group by account_id, object, unique_id
),

-- An item is to be resolved from when it happened, and again from each reopening. Of what repeats, a resolve of what is
-- resolved or a reopening of what is open, the first counts.
turns as (
    select account_id, object, unique_id, item_at as happened_at, 0 as number, true as is_start
    from measured
    where metric = 'resolve'
    union all
    select
        actions.account_id,
        actions.object,
        actions.unique_id,
        actions.action_at as happened_at,
        actions.action_number as number,
        actions.is_reopening as is_start
    from actions
    inner join measured
        on actions.account_id = measured.account_id
        and actions.object = measured.object
        and actions.unique_id = measured.unique_id
        and measured.metric = 'resolve'
    where actions.is_reopening or actions.is_resolve
),

compared_turns as (
    select *, lag(is_start) over (partition by account_id, object, unique_id order by number) as was_start
    from turns
),

stretches_to_resolve as (
    select *, lead(happened_at) over (partition by account_id, object, unique_id order by number) as ended_at
    from compared_turns
    where is_start is distinct from was_start
),

cycles as (
    select
        measured.account_id,
        measured.object,
        measured.unique_id,
        measured.metric,
        1 as cycle_number,
        measured.item_at as started_at,
        measured.published_at is not null as is_start_known,
        first_answers.answer.happened_at as ended_at,
        case
            when first_answers.answer is null then 'open'
            when first_answers.answer.is_resolve then 'resolved'
            else 'replied'
        end as end_reason
    from measured
    left join first_answers
        on measured.account_id = first_answers.account_id
        and measured.object = first_answers.object
        and measured.unique_id = first_answers.unique_id
    where measured.metric = 'first_response'
    union all
    select
        waits.account_id,
        waits.object,
        waits.unique_id,
        measured.metric,
        waits.wait_number - 1 as cycle_number,
        waits.started_at,
        waits.is_start_known,
        waits.ended_at,
        case waits.end_reason when 'reply' then 'replied' when 'resolve' then 'resolved' else 'open' end as end_reason
    from {{ ref('fct_replies') }} as waits
    inner join measured
        on waits.account_id = measured.account_id
        and waits.object = measured.object
        and waits.unique_id = measured.unique_id
    where measured.metric = 'next_response' and waits.wait_number > 1
    union all
    select
        measured.account_id,
        measured.object,
        measured.unique_id,
        measured.metric,
        row_number() over (
            partition by measured.account_id, measured.object, measured.unique_id order by stretches.number
        ) as cycle_number,
        stretches.happened_at as started_at,
        stretches.number > 0 or measured.published_at is not null as is_start_known,
        stretches.ended_at,
        case when stretches.ended_at is null then 'open' else 'resolved' end as end_reason
    from stretches_to_resolve as stretches
    inner join measured
        on stretches.account_id = measured.account_id
        and stretches.object = measured.object
        and stretches.unique_id = measured.unique_id
    where measured.metric = 'resolve' and stretches.is_start
),

-- Nobody can answer what is gone.
cancelled as (
    select
        cycles.* exclude (ended_at, end_reason),
        -- `least` passes over nulls.
        least(cycles.ended_at, measured.deleted_at) as ended_at,
        case
            when measured.deleted_at < coalesce(cycles.ended_at, 'infinity'::timestamptz) then 'cancelled'
            else cycles.end_reason
        end as end_reason
    from cycles
    inner join measured
        on cycles.account_id = measured.account_id
        and cycles.object = measured.object
        and cycles.unique_id = measured.unique_id
        and cycles.metric = measured.metric
    where measured.deleted_at is null or cycles.started_at < measured.deleted_at
),

-- The priority that an item had before the first action that set one, the action tells. Where none set one, it has
-- always had the one it has.
priority_turns as (
    select
        measured_items.account_id,
        measured_items.object,
        measured_items.unique_id,
        '-infinity'::timestamptz as turned_at,
        case
            when count(actions.action_number) > 0
                then (min(struct_pack(number := actions.action_number, priority := actions.previous_priority))).priority
            else any_value(measured_items.priority_name)
        end as priority
    from measured_items
    left join actions
        on measured_items.account_id = actions.account_id
        and measured_items.object = actions.object
        and measured_items.unique_id = actions.unique_id
        and actions.priority_set is not null
    group by measured_items.account_id, measured_items.object, measured_items.unique_id
    union all
    select account_id, object, unique_id, action_at as turned_at, arg_max(priority_set, action_number) as priority
    from actions
    where priority_set is not null
    group by account_id, object, unique_id, action_at
),

compared_priorities as (
    select
        * replace (coalesce(priority, 'none') as priority),
        lag(coalesce(priority, 'none')) over (
            partition by account_id, object, unique_id order by turned_at
        ) as previous_priority
    from priority_turns
),

priorities as (
    select
        *,
        coalesce(
            lead(turned_at) over (partition by account_id, object, unique_id order by turned_at),
            'infinity'::timestamptz
        ) as turned_to_at
    from compared_priorities
    where priority is distinct from previous_priority
),

-- Each cycle with the priorities that the item had in it; one that ends as it starts has that of its start.
applications as (
    select
        cancelled.*,
        priorities.priority,
        greatest(cancelled.started_at, priorities.turned_at) as applied_at,
        priorities.turned_to_at,
        row_number() over (
            partition by cancelled.account_id, cancelled.object, cancelled.unique_id, cancelled.metric, cancelled.cycle_number
            order by priorities.turned_at
        ) as application_number
    from cancelled
    inner join priorities
        on cancelled.account_id = priorities.account_id
        and cancelled.object = priorities.object
        and cancelled.unique_id = priorities.unique_id
        and cancelled.started_at < priorities.turned_to_at
        and (
            cancelled.started_at >= priorities.turned_at
            or coalesce(cancelled.ended_at, 'infinity'::timestamptz) > priorities.turned_at
        )
),

-- A policy for one priority applies while the item has it; any other once, from start to end.
applied as (
    select
        applications.*,
        matches.policy_id,
        matches.selection,
        matches.topic_id,
        matches.channel,
        matches.priority is not null
        and applications.turned_to_at < coalesce(applications.ended_at, 'infinity'::timestamptz) as is_superseded
    from applications
    inner join matches
        on applications.account_id = matches.account_id
        and applications.object = matches.object
        and applications.unique_id = matches.unique_id
        and applications.metric = matches.metric
        and applications.started_at >= coalesce(matches.valid_from, '-infinity'::timestamptz)
        and applications.started_at < coalesce(matches.valid_to, 'infinity'::timestamptz)
    where
        matches.priority = applications.priority
        or (matches.priority is null and applications.application_number = 1)
)

select
    account_id,
    object,
    unique_id,
    policy_id,
    cycle_number,
    application_number,
    selection,
    metric,
    topic_id,
    channel,
    priority,
    is_start_known,
    started_at,
    applied_at,
    case when is_superseded then turned_to_at else ended_at end as ended_at,
    case when is_superseded then 'superseded' else end_reason end as end_reason
from applied
