-- Which mentions and cases went through the most hands, in which order, and how long did each agent have them?
with stretches as (
    select
        assignments.account_id,
        assignments.object,
        assignments.unique_id,
        assignments.started_at,
        assignments.assignee_id,
        coalesce(agents.agent_name, assignments.assignee_id) as agent_name,
        assignments.assignment_seconds
    from {{ ref('fct_assignments') }} as assignments
    left join {{ ref('dim_agents') }} as agents
        on assignments.account_id = agents.account_id
        and assignments.assignee_id = agents.agent_id
    where assignments.assignee_type = 'agent'
)

select
    account_id,
    object,
    unique_id,
    count(*) as stretch_count,
    count(distinct assignee_id) as agent_count,
    string_agg(
        agent_name || coalesce(' (' || round(assignment_seconds / 3600, 1) || ' h)', ' (has it)'),
        ' > ' order by started_at, assignee_id
    ) as chain
from stretches
group by account_id, object, unique_id
having count(*) > 1
order by stretch_count desc, agent_count desc, account_id, object, unique_id
limit 100
