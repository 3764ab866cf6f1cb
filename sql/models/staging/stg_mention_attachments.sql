select
    account_id,
    unique_id,
    position,
    id,
    type,
    url,
    title,
    image,
    description,
    caption,
    question,
    content
from {{ source('social_connect', 'mention_attachments') }}
