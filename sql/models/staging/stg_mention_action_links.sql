select
    account_id,
    unique_id,
    position,
    key,
    type,
    name,
    title,
    link,
    http_method,
    post_params
from {{ source('social_connect', 'mention_action_links') }}
