-- One row per action on a mention. What counts as a reply, a resolve and a reopening is said here and nowhere else.
with numbered as (
    select
        account_id,
        unique_id,
        position,
        type as action_type,
        user_id as agent_id,
        user_name as agent_name,
        case when user_id is null then 'automation' else 'human' end as actor_kind,
        added_at as action_at,
        case when type = 'status' then metadata_status end as status_set,
        metadata_priority as priority_set,
        row_number() over in_order as action_number,
        last_value(case when type = 'status' then metadata_status end ignore nulls) over earlier as previous_status_set
    from {{ ref('stg_mention_actions') }}
    -- The API lists the newest first, so of two actions in one second the one further down came first.
    window
        in_order as (partition by account_id, unique_id order by action_at, position desc),
        earlier as (
            partition by account_id, unique_id order by action_at, position desc
            rows between unbounded preceding and 1 preceding
        )
)

select
    account_id,
    unique_id,
    action_number,
    action_type,
    agent_id,
    agent_name,
    actor_kind,
    status_set,
    priority_set,
    action_type is not distinct from 'reply' as is_reply,
    status_set is not distinct from 'done' as is_resolve,
    coalesce(status_set <> 'done' and previous_status_set = 'done', false) as is_reopening,
    action_at
from numbered
