select
    account_id,
    unique_id,
    position,
    id as attribute_id,
    name,
    value
from {{ source('social_connect', 'mention_extra_attributes') }}
