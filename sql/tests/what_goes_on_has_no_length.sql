-- What has not ended has no length, in calendar or in business time.
select 'assignment' as what, account_id, object, unique_id
from {{ ref('fct_assignments') }}
where ended_at is null and (assignment_seconds is not null or assignment_business_hours_seconds is not null)
union all
select 'status' as what, account_id, object, unique_id
from {{ ref('fct_status_intervals') }}
where ended_at is null and (interval_seconds is not null or interval_business_hours_seconds is not null)
union all
select 'wait' as what, account_id, object, unique_id
from {{ ref('fct_replies') }}
where ended_at is null and (wait_seconds is not null or wait_business_hours_seconds is not null)
