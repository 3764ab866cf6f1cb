select
    account_id,
    scope,
    scope_id,
    schedule_id
from {{ rules_file('business_hours_assignments') }}
