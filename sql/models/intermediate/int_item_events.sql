{{ incremental_by_item() }}
-- One row per mention or case that has an action: how many of which kind, and who did what first and last.
select
    account_id,
    object,
    unique_id,
    count(*) as action_count,
    count(*) filter (where is_reply) as reply_count,
    count(*) filter (where is_reply and actor_kind = 'human') as human_reply_count,
    count(*) filter (where action_type = 'note') as note_count,
    count(*) filter (where status_set is not null) as status_change_count,
    count(*) filter (where is_resolve) as resolve_count,
    count(*) filter (where is_reopening) as reopening_count,
    count(*) filter (where is_assignment) as assignment_count,
    count(*) filter (where is_handoff) as handoff_count,
    len(list_distinct(flatten(list(assigned_agent_ids) filter (assigned_agent_ids is not null)))) as assigned_agents_count,
    coalesce(len(list_distinct(list(agent_id) filter (agent_id is not null))), 0) as agents_touched_count,
    min(action_at) as first_action_at,
    min(action_at) filter (where actor_kind = 'human') as first_human_action_at,
    min(action_at) filter (where is_reply) as first_reply_at,
    min(action_at) filter (where is_reply and actor_kind = 'human') as first_human_reply_at,
    min(action_at) filter (where is_assignment) as first_assigned_at,
    max(action_at) filter (where is_assignment) as last_assigned_at,
    min(action_at) filter (where is_resolve) as first_resolved_at,
    max(action_at) filter (where is_resolve) as last_resolved_at,
    max(action_at) as last_action_at,
    arg_min(actor_kind, action_number) filter (where is_reply) as first_reply_actor_kind,
    arg_min(agent_id, action_number) filter (where actor_kind = 'human') as first_human_action_agent_id,
    arg_min(agent_id, action_number) filter (where is_reply and actor_kind = 'human') as first_human_reply_agent_id,
    arg_min(actor_kind, action_number) filter (where is_resolve) as first_resolve_actor_kind,
    arg_max(actor_kind, action_number) filter (where is_resolve) as last_resolve_actor_kind,
    -- `arg_min` passes over actions without an agent: only people's are asked for one.
    arg_min(agent_id, action_number) filter (where is_resolve and actor_kind = 'human') as first_human_resolve_agent_id,
    arg_max(agent_id, action_number) filter (where is_resolve and actor_kind = 'human') as last_human_resolve_agent_id,
{%- for name, condition in [
    ('first_action', 'true'),
    ('first_human_action', "actor_kind = 'human'"),
    ('first_reply', 'is_reply'),
    ('first_human_reply', "is_reply and actor_kind = 'human'"),
    ('first_assignment', 'is_assignment'),
    ('first_resolve', 'is_resolve'),
] %}
    arg_min_null(schedule_id, action_number) filter (where {{ condition }}) as {{ name }}_schedule_id,
{%- endfor %}
    arg_max_null(schedule_id, action_number) filter (where is_resolve) as last_resolve_schedule_id
from {{ of_touched(ref('int_actions')) }}
group by account_id, object, unique_id
