select
    account_id,
    id as change_id,
    type,
    description,
    topic_id,
    topic_name,
    project_id,
    project_name,
    user_id,
    user_name,
    user_email,
    ip,
    added_at,
    _loaded_at
from {{ source('social_connect', 'account_changes') }}
