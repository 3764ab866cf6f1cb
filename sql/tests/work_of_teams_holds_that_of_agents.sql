-- What an agent did is in at least one team's row of that day; without agents in two teams, in exactly one.
with agents as (
    select
        account_id,
        object,
        action_date,
        sum(action_count) as action_count,
        sum(first_human_response_seconds_sum) as first_human_response_seconds_sum,
        sum(assignments_received_count) as assignments_received_count,
        sum(assignment_seconds_sum) as assignment_seconds_sum
    from {{ ref('agg_agents_daily') }}
    group by account_id, object, action_date
),

teams as (
    select
        account_id,
        object,
        action_date,
        sum(action_count) as action_count,
        sum(first_human_response_seconds_sum) as first_human_response_seconds_sum,
        sum(assignments_received_count) as assignments_received_count,
        sum(assignment_seconds_sum) as assignment_seconds_sum
    from {{ ref('agg_teams_daily') }}
    group by account_id, object, action_date
),

shared as (
    select distinct account_id
    from (
        select account_id
        from {{ ref('bridge_team_members') }}
        group by account_id, agent_id
        having count(distinct team_id) > 1
    ) as agents_of_two_teams
)

select agents.*
from agents
left join teams
    on agents.account_id = teams.account_id
    and agents.object = teams.object
    and agents.action_date = teams.action_date
left join shared on agents.account_id = shared.account_id
where
    {%- for name in [
        'action_count', 'first_human_response_seconds_sum', 'assignments_received_count', 'assignment_seconds_sum',
    ] %}
    agents.{{ name }} > coalesce(teams.{{ name }}, 0)
    or (shared.account_id is null and agents.{{ name }} <> teams.{{ name }})
    {{- ' or' if not loop.last }}
    {%- endfor %}
