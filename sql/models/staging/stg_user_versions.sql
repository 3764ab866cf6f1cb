select
    account_id,
    id as user_id,
    account_role,
    business_hours_schedule_id,
    valid_from,
    valid_to
from {{ source('history', 'users') }}
