select
    account_id,
    unique_id,
    position,
    id as todo_id,
    author_id,
    author_name,
    author_email,
    text,
    status,
    added_at,
    updated_at
from {{ source('social_connect', 'mention_todos') }}
