select
    account_id,
    unique_id,
    action_position,
    position,
    id as assignee_id,
    type as assignee_type,
    display_name
from {{ source('social_connect', 'mention_action_assignees') }}
