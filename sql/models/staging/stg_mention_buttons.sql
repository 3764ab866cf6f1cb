select
    account_id,
    unique_id,
    position,
    id as button_id,
    label
from {{ source('social_connect', 'mention_buttons') }}
