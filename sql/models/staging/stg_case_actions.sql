select
    account_id,
    unique_id,
    position,
    user_id,
    user_name,
    type,
    description,
    details,
    added_at,
    metadata_status,
    metadata_priority,
    metadata_previous_priority
from {{ source('social_connect', 'case_actions') }}
