select
    account_id,
    id as user_id,
    name,
    email,
    avatar,
    account_role,
    business_hours_schedule_id,
    status,
    business_hours_schedule_is_active as is_business_hours_schedule_active,
    _loaded_at
from {{ source('social_connect', 'users') }}
