select
    account_id,
    unique_id,
    position,
    id as attachment_id,
    type,
    url,
    title,
    image,
    description,
    caption,
    question,
    content
from {{ source('social_connect', 'mention_attachments') }}
