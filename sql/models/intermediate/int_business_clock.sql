-- One row per account, schedule, date of UTC and piece of time, half-open, that reaches into the date and in which the
-- schedule's clock either runs or stands. The pieces of a date leave no gap: an instant within the horizon is in one.
with stretches as (
    select
        account_id,
        schedule_id,
        starts_at,
        ends_at,
        seconds_before,
        stretch_seconds,
        lead(starts_at, 1, 'infinity'::timestamptz) over (partition by account_id, schedule_id order by starts_at) as next_starts_at
    from {{ ref('int_business_intervals') }}
),

pieces as (
    select account_id, schedule_id, starts_at, ends_at, true as is_running, seconds_before
    from stretches
    where stretch_seconds > 0
    union all
    select
        account_id,
        schedule_id,
        ends_at as starts_at,
        next_starts_at as ends_at,
        false as is_running,
        seconds_before + stretch_seconds as seconds_before
    from stretches
),

-- The horizon's dates are local: one day more on each side holds them all. The first and the last piece have no end.
horizon as (
    select
        timezone('UTC', cast(first_date - 1 as timestamp)) as starts_at,
        timezone('UTC', cast(last_date + 1 as timestamp)) as ends_at
    from {{ ref('int_business_horizon') }}
)

select
    pieces.account_id,
    pieces.schedule_id,
    unnest(generate_series(
        {{ utc_date('greatest(pieces.starts_at, horizon.starts_at)') }},
        -- A piece that ends at midnight is not of the day that begins then.
        {{ utc_date('least(pieces.ends_at, horizon.ends_at) - interval 1 microsecond') }},
        interval 1 day
    ))::date as utc_date,
    pieces.starts_at,
    pieces.ends_at,
    pieces.is_running,
    pieces.seconds_before
from pieces, horizon
where pieces.starts_at < horizon.ends_at and pieces.ends_at > horizon.starts_at
