-- Which customers wait for an answer now, since when, and who has their message?
select
    account_id,
    object,
    unique_id,
    topic_name,
    channel,
    status,
    priority_name,
    waiting_since_at,
    round(waiting_hours, 1) as waiting_hours,
    coalesce(agent_names, team_names, 'nobody') as who_has_it,
    permalink
from {{ ref('rpt_open_items') }}
where waiting_since_at is not null
order by waiting_since_at, account_id, object, unique_id
limit 500
