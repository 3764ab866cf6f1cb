{{ incremental_by_item(summed=[
    'account_id', 'object', 'assignee_type', 'assignee_id', 'started_at', 'ended_at', 'is_deleted',
    'assignment_seconds', 'assignment_business_hours_seconds',
]) }}
-- One row per mention or case, agent or team, and stretch of time in which it was assigned to them without a break.
with assigns as (
    select
        *,
        row_number() over in_order as assign_number,
        lead(action_at) over in_order as replaced_at,
        lead(agent_id) over in_order as replaced_by_agent_id
    from {{ of_touched(ref('int_actions')) }}
    where action_type = 'assign' and action_at is not null
    window in_order as (partition by account_id, object, unique_id order by action_number)
),

named as (
    select * exclude (assigned_agent_ids, assigned_team_ids), 'agent' as assignee_type, unnest(assigned_agent_ids) as assignee_id
    from assigns
    union all by name
    select * exclude (assigned_agent_ids, assigned_team_ids), 'team' as assignee_type, unnest(assigned_team_ids) as assignee_id
    from assigns
),

-- Assignees that follow-up assigns name again go on: the difference of the two numbers stays the same while they do.
distinct_named as (
    select distinct on (account_id, object, unique_id, assignee_type, assignee_id, assign_number) *
    from named
    where assignee_id is not null
),

numbered as (
    select
        *,
        assign_number - row_number() over (
            partition by account_id, object, unique_id, assignee_type, assignee_id order by assign_number
        ) as stretch
    from distinct_named
),

stretches as (
    select
        account_id,
        object,
        unique_id,
        assignee_type,
        assignee_id,
        min(action_at) as started_at,
        arg_min(struct_pack(agent_id := agent_id, kind := actor_kind), assign_number) as assigner,
        arg_max(struct_pack(replaced_at := replaced_at, agent_id := replaced_by_agent_id), assign_number) as replacement
    from numbered
    group by account_id, object, unique_id, assignee_type, assignee_id, stretch
),

deleted as (
    select account_id, object, unique_id
    from {{ touched_items() }}
    where deleted_at is not null
),

measured as (
    select
        stretches.*,
        stretches.replacement.replaced_at as ended_at,
        -- The hours of whoever has it.
        coalesce(
            case
                when stretches.assignee_type = 'agent'
                    then coalesce(of_agents.schedule_id, told.schedule_id, of_their_teams.schedule_id)
            end,
            case when stretches.assignee_type = 'team' then of_teams.schedule_id end,
            of_topics.schedule_id,
            of_accounts.schedule_id
        ) as schedule_id
    from stretches
    left join {{ ref('int_agent_schedules') }} as told
        on stretches.account_id = told.account_id
        and stretches.assignee_id = told.agent_id
        and stretches.started_at >= told.valid_from
        and stretches.started_at < told.valid_to
    left join {{ assigned_hours('agent') }} as of_agents
        on stretches.account_id = of_agents.account_id
        and stretches.assignee_id = of_agents.scope_id
    left join {{ ref('int_agent_team_schedules') }} as of_their_teams
        on stretches.account_id = of_their_teams.account_id
        and stretches.assignee_id = of_their_teams.agent_id
        and stretches.started_at >= of_their_teams.valid_from
        and stretches.started_at < of_their_teams.valid_to
    left join {{ assigned_hours('team') }} as of_teams
        on stretches.account_id = of_teams.account_id
        and stretches.assignee_id = of_teams.scope_id
    left join {{ hours_of_topics() }} as of_topics
        on stretches.account_id = of_topics.account_id
        and stretches.object = of_topics.object
        and stretches.unique_id = of_topics.unique_id
    left join {{ assigned_hours('account') }} as of_accounts
        on stretches.account_id = of_accounts.account_id
)

select
    measured.account_id,
    measured.object,
    measured.unique_id,
    measured.assignee_type,
    measured.assignee_id,
    row_number() over (
        partition by measured.account_id, measured.object, measured.unique_id
        order by measured.started_at, measured.assignee_type, measured.assignee_id
    ) as assignment_number,
    measured.started_at,
    measured.ended_at,
    measured.ended_at is null as is_current,
    deleted.unique_id is not null as is_deleted,
    measured.assigner.agent_id as assigned_by_agent_id,
    measured.assigner.kind as assigned_by_actor_kind,
    measured.replacement.agent_id as ended_by_agent_id,
    measured.schedule_id,
    {{ seconds_between('measured.started_at', 'measured.ended_at') }} as assignment_seconds,
    {{ business_seconds_between('at_start', 'measured.started_at', 'at_end', 'measured.ended_at') }}
        as assignment_business_hours_seconds
from measured
left join deleted
    on measured.account_id = deleted.account_id
    and measured.object = deleted.object
    and measured.unique_id = deleted.unique_id
{{ business_clock('at_start', 'measured.account_id', 'measured.schedule_id', 'measured.started_at') }}
{{ business_clock('at_end', 'measured.account_id', 'measured.schedule_id', 'measured.ended_at') }}
