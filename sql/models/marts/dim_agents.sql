-- One row per account and user, listed by the API or only seen acting.
with listed as (
    select * from {{ ref('stg_users') }}
),

acting as (
    select
        account_id,
        user_id as agent_id,
        arg_max(user_name, added_at) as agent_name,
        min(added_at) as first_action_at,
        max(added_at) as last_action_at
    from (
        select account_id, user_id, user_name, added_at from {{ ref('stg_mention_actions') }}
        union all
        select account_id, user_id, user_name, added_at from {{ ref('stg_case_actions') }}
    )
    where user_id is not null
    group by account_id, user_id
)

select
    coalesce(listed.account_id, acting.account_id) as account_id,
    coalesce(listed.user_id, acting.agent_id) as agent_id,
    coalesce(listed.name, acting.agent_name) as agent_name,
    listed.email as agent_email,
    listed.account_role,
    listed.business_hours_schedule_id,
    listed.user_id is not null as is_listed,
    acting.first_action_at,
    acting.last_action_at
from listed
full join acting
    on listed.account_id = acting.account_id
    and listed.user_id = acting.agent_id
