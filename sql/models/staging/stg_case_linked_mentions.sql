select
    account_id,
    unique_id,
    position,
    mention_unique_id,
    author_id,
    added_at,
    published_at
from {{ source('social_connect', 'case_linked_mentions') }}
