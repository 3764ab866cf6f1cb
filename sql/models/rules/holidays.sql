select
    written.account_id,
    written.schedule_id,
    cast(written.holiday_date as date) as holiday_date,
    written.start_time,
    written.end_time,
    written.name
from {{ rules_file('holidays') }} as written
