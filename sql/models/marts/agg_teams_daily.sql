-- One row per account, team, object and date on which one of its members did something or had an item given or taken
-- away, or the team itself had. Team unknown: who acted was in no team.
with memberships as (
    select
        account_id,
        team_id,
        agent_id,
        -- Who was in a team before the first reading is not known: its first members are taken to have been there.
        case
            when valid_from = min(valid_from) over (partition by account_id) then {{ before_all_time() }}
            else valid_from
        end as valid_from,
        coalesce(valid_to, 'infinity'::timestamptz) as valid_to
    from {{ ref('bridge_team_members') }}
),

actions as (
    select actions.*, {{ or_unknown('memberships.team_id') }} as team_id
    from {{ ref('int_agent_actions') }} as actions
    left join memberships
        on actions.account_id = memberships.account_id
        and actions.agent_id = memberships.agent_id
        and actions.action_at >= memberships.valid_from
        and actions.action_at < memberships.valid_to
),

to_agents as (
    {{ assignments_to('agent') }}
),

to_teams as (
    {{ assignments_to('team') }}
),

-- The team is the one of the moment that counts: when the item is given, and when it is taken away.
received as (
    select to_agents.*, {{ or_unknown('memberships.team_id') }} as team_id
    from to_agents
    left join memberships
        on to_agents.account_id = memberships.account_id
        and to_agents.agent_id = memberships.agent_id
        and to_agents.started_at >= memberships.valid_from
        and to_agents.started_at < memberships.valid_to
),

ended as (
    select to_agents.*, {{ or_unknown('memberships.team_id') }} as team_id
    from to_agents
    left join memberships
        on to_agents.account_id = memberships.account_id
        and to_agents.agent_id = memberships.agent_id
        and to_agents.ended_at >= memberships.valid_from
        and to_agents.ended_at < memberships.valid_to
    where to_agents.ended_at is not null
)

{{ sums_by_day('team_id', [
    {'relation': 'actions', 'day': 'action_date', 'sums': action_sums()},
    {'relation': 'received', 'day': reporting_date('started_at'), 'sums': received_sums()},
    {'relation': 'ended', 'day': reporting_date('ended_at'), 'sums': ended_sums()},
    {'relation': 'to_teams', 'day': reporting_date('started_at'), 'sums': {
        'team_assignments_received_count': 'count(*)',
    }},
    {'relation': 'to_teams', 'day': reporting_date('ended_at'), 'sums': {
        'team_assignments_ended_count': 'count(*)',
        'team_assignment_seconds_sum': 'sum(assignment_seconds)',
    }},
]) }}
