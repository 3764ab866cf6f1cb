-- One row per date of UTC, within the horizon, in which the reporting zone's clocks are not changed: the date of the zone
-- when it begins, and the instant at which the zone's next date does.
{%- set zone = "'" ~ var('reporting_time_zone') ~ "'" %}

with days as (
    select
        unnest(generate_series(
            timezone('UTC', cast(first_date as timestamp)), timezone('UTC', cast(last_date as timestamp)), interval 24 hours
        )) as starts_at
    from {{ ref('int_business_horizon') }}
),

shown as (
    select
        starts_at,
        timezone({{ zone }}, starts_at) as local_start,
        timezone({{ zone }}, starts_at + interval 24 hours) as local_end
    from days
)

select
    {{ utc_date('starts_at') }} as utc_date,
    cast(local_start as date) as local_date,
    starts_at + (cast(local_start as date) + interval 24 hours - local_start) as next_date_starts_at
from shown
where local_end - local_start = interval 24 hours
