select
    account_id,
    unique_id,
    todo_position,
    position,
    id as assignee_id,
    type as assignee_type,
    display_name as assignee_name
from {{ source('social_connect', 'mention_todo_assignees') }}
