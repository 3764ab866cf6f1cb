select
    account_id,
    id as schedule_id,
    name,
    timezone as time_zone,
    summary,
    added_at,
    updated_at,
    valid_from,
    valid_to
from {{ source('history', 'business_hours_schedules') }}
