-- One row per change of the account's settings or data.
select
    account_id,
    change_id,
    type as change_type,
    {{ change_group('type') }} as change_group,
    case when user_id is null then 'automation' else 'human' end as actor_kind,
    user_id as agent_id,
    topic_id,
    project_id,
    added_at as changed_at,
    {{ reporting_date('added_at') }} as change_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone
from {{ ref('stg_account_changes') }}
