select
    account_id,
    contact_id,
    position,
    tag
from {{ source('social_connect', 'contact_tags') }}
