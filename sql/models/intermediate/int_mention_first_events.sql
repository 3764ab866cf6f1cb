-- One row per mention that has an action.
select
    account_id,
    unique_id,
    count(*) as action_count,
    count(*) filter (where is_reply) as reply_count,
    count(*) filter (where is_reply and actor_kind = 'human') as human_reply_count,
    count(*) filter (where is_resolve) as resolve_count,
    count(*) filter (where is_reopening) as reopening_count,
    min(action_at) as first_action_at,
    min(action_at) filter (where is_reply) as first_reply_at,
    min(action_at) filter (where is_reply and actor_kind = 'human') as first_human_reply_at,
    min(action_at) filter (where is_resolve) as first_resolved_at,
    max(action_at) as last_action_at,
    arg_min(actor_kind, action_number) filter (where is_reply) as first_reply_actor_kind,
    arg_min(agent_id, action_number) filter (where is_reply and actor_kind = 'human') as first_human_reply_agent_id
from {{ ref('int_mention_actions') }}
group by account_id, unique_id
