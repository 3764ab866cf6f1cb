select
    account_id,
    unique_id,
    position,
    user_id
from {{ source('social_connect', 'mention_assignment_users') }}
