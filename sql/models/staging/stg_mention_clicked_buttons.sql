select
    account_id,
    unique_id,
    position,
    id as button_id,
    label,
    payload
from {{ source('social_connect', 'mention_clicked_buttons') }}
