select
    account_id,
    business_hours_schedule_id as schedule_id,
    day_of_week,
    start_time,
    end_time,
    valid_from,
    valid_to
from {{ source('history', 'business_hours_periods') }}
