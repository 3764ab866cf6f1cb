select
    account_id,
    schedule_id,
    cast(holiday_date as date) as holiday_date,
    start_time,
    end_time,
    name
from {{ rules_file('holidays') }}
