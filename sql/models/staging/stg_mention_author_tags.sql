select
    account_id,
    unique_id,
    position,
    tag
from {{ source('social_connect', 'mention_author_tags') }}
