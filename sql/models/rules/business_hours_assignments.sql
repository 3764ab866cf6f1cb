select
    written.account_id,
    written.scope,
    written.scope_id,
    written.schedule_id
from {{ rules_file('business_hours_assignments') }} as written
