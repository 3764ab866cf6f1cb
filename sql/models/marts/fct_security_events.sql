-- One row per event of the account's security audit.
select
    account_id,
    event_id,
    type as event_type,
    case
        when starts_with(type, 'login_') or type in ('logout', 'admin_logged_in_as_user', 'admin_logged_out_as_user')
            then 'sign_in'
        when starts_with(type, 'password_') then 'password'
        when starts_with(type, 'account_') or starts_with(type, 'user_blocked_') then 'lock'
        when starts_with(type, 'user_') then 'user'
        when starts_with(type, 'device_') or starts_with(type, 'location_') then 'device_or_place'
        when starts_with(type, 'settings_') then 'settings'
        else 'other'
    end as event_group,
    coalesce(type = 'login_failure', false) as is_failed_sign_in,
    user_id as agent_id,
    location_country as country,
    device_platform,
    device_browser,
    added_at as happened_at,
    {{ reporting_date('added_at') }} as event_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone
from {{ ref('stg_security_events') }}
