select
    account_id,
    unique_id,
    position,
    mention,
    mention_id,
    mention_unique_id,
    topic_id,
    source_service,
    message_type,
    author_id,
    status,
    added_at,
    published_at
from {{ source('social_connect', 'case_linked_mentions') }}
