{{ incremental_by_item(summed=[
    'account_id', 'object', 'unique_id', 'action_type', 'agent_id', 'author_id', 'is_own', 'is_deleted', 'is_resolve',
    'is_reopening', 'is_within_28_days', 'action_at', 'action_date', 'is_in_business_hours',
]) }}
-- One row per action on a mention or a case. What counts as a reply, a resolve, a reopening and an assignment is said
-- here and nowhere else, and whose business hours an action is measured in.
with actions as (
{%- for object in ['mention', 'case'] %}
    select '{{ object }}' as object, * from {{ of_touched(ref('stg_' ~ object ~ '_actions'), object) }}
    {{- '\n    union all by name' if not loop.last }}
{%- endfor %}
),

assignees as (
{%- for object in ['mention', 'case'] %}
    select
        '{{ object }}' as object,
        account_id,
        unique_id,
        action_position,
        list_sort(list(assignee_id) filter (assignee_type = 'user')) as agent_ids,
        list_sort(list(assignee_id) filter (assignee_type = 'team')) as team_ids
    from {{ of_touched(ref('stg_' ~ object ~ '_action_assignees'), object) }}
    group by account_id, unique_id, action_position
    {{- '\n    union all' if not loop.last }}
{%- endfor %}
),

numbered as (
    select
        actions.account_id,
        actions.object,
        actions.unique_id,
        row_number() over in_order as action_number,
        actions.type as action_type,
        actions.user_id as agent_id,
        case when actions.user_id is null then 'automation' else 'human' end as actor_kind,
        case when actions.type = 'status' then actions.metadata_status end as status_set,
        actions.metadata_priority as priority_set,
        actions.metadata_previous_priority as previous_priority,
        case when actions.type = 'assign' then coalesce(assignees.agent_ids, []) end as assigned_agent_ids,
        case when actions.type = 'assign' then coalesce(assignees.team_ids, []) end as assigned_team_ids,
        last_value(case when actions.type = 'status' then actions.metadata_status end ignore nulls)
            over earlier as previous_status_set,
        last_value(assignees.agent_ids ignore nulls) over earlier as previous_agent_ids,
        coalesce(last_value(
            case when actions.type = 'assign' then coalesce(len(assignees.agent_ids), 0) > 0 end ignore nulls
        ) over earlier, false) as was_owned,
        -- An assign action that names nobody takes an assignment away; where nobody has been named before, it is an
        -- assignment of the time when the API did not tell to whom.
        (actions.type is not distinct from 'assign') and (
            assignees.unique_id is not null
            or coalesce(bool_or(assignees.unique_id is not null) over earlier, false) is false
        ) as is_assignment,
        actions.added_at as action_at
    from actions
    left join assignees
        on actions.account_id = assignees.account_id
        and actions.object = assignees.object
        and actions.unique_id = assignees.unique_id
        and actions.position = assignees.action_position
    -- The API lists the newest first, so of two actions in one second the one further down came first.
    window
        in_order as (
            partition by actions.account_id, actions.object, actions.unique_id
            order by actions.added_at, actions.position desc
        ),
        earlier as (in_order rows between unbounded preceding and 1 preceding)
),

measured_in as (
    select
        numbered.*,
        items.topic_id,
        items.channel,
        items.author_id,
        items.is_own,
        items.deleted_at is not null as is_deleted,
        items.published_at,
        items.item_at,
        coalesce(
            of_agents.schedule_id, told.schedule_id, of_teams.schedule_id, of_topics.schedule_id, of_accounts.schedule_id
        ) as schedule_id
    from numbered
    left join {{ touched_items() }} as items
        on numbered.account_id = items.account_id
        and numbered.object = items.object
        and numbered.unique_id = items.unique_id
    left join {{ ref('int_agent_schedules') }} as told
        on numbered.account_id = told.account_id
        and numbered.agent_id = told.agent_id
        and numbered.action_at >= told.valid_from
        and numbered.action_at < told.valid_to
    left join {{ assigned_hours('agent') }} as of_agents
        on numbered.account_id = of_agents.account_id
        and numbered.agent_id = of_agents.scope_id
    left join {{ ref('int_agent_team_schedules') }} as of_teams
        on numbered.account_id = of_teams.account_id
        and numbered.agent_id = of_teams.agent_id
        and numbered.action_at >= of_teams.valid_from
        and numbered.action_at < of_teams.valid_to
    left join {{ assigned_hours('topic') }} as of_topics
        on numbered.account_id = of_topics.account_id
        and items.topic_id = of_topics.scope_id
    left join {{ assigned_hours('account') }} as of_accounts
        on numbered.account_id = of_accounts.account_id
)

select
    actions.account_id,
    actions.object,
    actions.unique_id,
    actions.action_number,
    actions.action_type,
    actions.agent_id,
    actions.actor_kind,
    actions.topic_id,
    actions.channel,
    actions.author_id,
    actions.is_own,
    actions.is_deleted,
    actions.status_set,
    actions.previous_status_set,
    actions.priority_set,
    actions.previous_priority,
    actions.assigned_agent_ids,
    actions.assigned_team_ids,
    actions.was_owned,
    (actions.action_type is not distinct from 'reply') as is_reply,
    (actions.status_set is not distinct from 'done') as is_resolve,
    coalesce(actions.status_set <> 'done' and actions.previous_status_set = 'done', false) as is_reopening,
    actions.is_assignment,
    coalesce(len(actions.assigned_agent_ids) > 0 and actions.assigned_agent_ids <> actions.previous_agent_ids, false)
        as is_handoff,
    actions.action_at,
    {{ reporting_date('actions.action_at', 'day') }} as action_date,
    {{ seconds_between('actions.published_at', 'actions.action_at') }} as since_publication_seconds,
    coalesce({{ seconds_between('actions.item_at', 'actions.action_at') }} <= 28 * 86400, false) as is_within_28_days,
    actions.schedule_id,
    at_action.is_running as is_in_business_hours
from measured_in as actions
{{ business_clock('at_action', 'actions.account_id', 'actions.schedule_id', 'actions.action_at') }}
{{ reporting_day('day', 'actions.action_at') }}
