-- Whose resolves are undone most often?
select
    work.account_id,
    agents.agent_name,
    cast(sum(work.resolve_count) as bigint) as resolve_count,
    cast(sum(work.undone_resolve_count) as bigint) as undone_resolve_count,
    round(sum(work.undone_resolve_count) / sum(work.resolve_count), 3) as undone_share
from {{ ref('agg_agents_daily') }} as work
left join {{ ref('dim_agents') }} as agents
    on work.account_id = agents.account_id
    and work.agent_id = agents.agent_id
group by work.account_id, work.agent_id, agents.agent_name
having sum(work.resolve_count) > 0
order by undone_share desc, resolve_count desc, work.account_id, agents.agent_name
