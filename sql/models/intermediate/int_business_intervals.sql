-- One row per account, schedule and stretch of business time: half-open [starts_at, ends_at), none touching the next.
-- Each schedule also has a first row without length, before all time, so that an instant before its first stretch has
-- used 0 seconds, and only an instant of a schedule that nobody knows has none.
with schedules as (
    select *
    from {{ ref('stg_business_hours_schedule_versions') }}
    -- A zone that nobody knows gives no hours, never those of UTC; warn_schedule_in_an_unknown_zone says so.
    where time_zone in (select name from pg_timezone_names())
),

-- What the list did not show from one reading to another. Hours go on as they were: who waits at that time still waits.
absences as (
    select
        account_id,
        schedule_id,
        valid_to as gone_at,
        coalesce(lead(valid_from) over in_time, 'infinity'::timestamptz) as back_at
    from {{ ref('stg_business_hours_schedule_versions') }}
    window in_time as (partition by account_id, schedule_id order by valid_from)
    qualify back_at > gone_at
),

-- What was before the first reading is not known: the first hours that were read are taken for those of before, too.
first_readings as (
    select account_id, schedule_id, min(valid_from) as read_at
    from schedules
    group by account_id, schedule_id
),

-- Each weekly period with the span in which it held, cut where the schedule's zone changed.
periods as (
    select
        schedules.account_id,
        schedules.schedule_id,
        schedules.time_zone,
        periods.day_of_week,
        {{ minute_of_day('periods.start_time') }} as start_minute,
        -- 0000 ends the day, like 2400. A period of which a time cannot be read is left out.
        case {{ minute_of_day('periods.end_time') }} when 0 then 1440 else {{ minute_of_day('periods.end_time') }} end as end_minute,
        case
            when greatest(schedules.valid_from, periods.valid_from) > first_readings.read_at
                then greatest(schedules.valid_from, periods.valid_from)
            else '-infinity'::timestamptz
        end as holds_from,
        least(
            coalesce(schedule_absences.back_at, schedules.valid_to, 'infinity'::timestamptz),
            coalesce(period_absences.back_at, periods.valid_to, 'infinity'::timestamptz)
        ) as holds_to
    from schedules
    inner join {{ ref('stg_business_hours_period_versions') }} as periods
        on schedules.account_id = periods.account_id
        and schedules.schedule_id = periods.schedule_id
    inner join first_readings
        on schedules.account_id = first_readings.account_id
        and schedules.schedule_id = first_readings.schedule_id
    left join absences as schedule_absences
        on schedules.account_id = schedule_absences.account_id
        and schedules.schedule_id = schedule_absences.schedule_id
        and schedules.valid_to = schedule_absences.gone_at
    left join absences as period_absences
        on periods.account_id = period_absences.account_id
        and periods.schedule_id = period_absences.schedule_id
        and periods.valid_to = period_absences.gone_at
),

-- A period that ends before it starts runs over midnight: the rest belongs to the next day, and so to its holidays.
pieces as (
    select * exclude (end_minute), case when end_minute < start_minute then 1440 else end_minute end as end_minute
    from periods
    where end_minute <> start_minute and holds_from < holds_to
    union all by name
    select * exclude (day_of_week, start_minute), day_of_week % 7 + 1 as day_of_week, 0 as start_minute
    from periods
    where end_minute < start_minute and holds_from < holds_to
),

horizon as (
    select unnest(generate_series(first_date, last_date, interval 1 day)) as local_midnight
    from {{ ref('int_business_horizon') }}
),

-- How far a zone's clock is ahead of UTC when a date begins, and whether it stays so from the date before to the next
-- one. It nearly always does, and then instants are a subtraction; asking the zone's rules for each takes longer than
-- all the rest.
zone_dates as (
    select
        zones.time_zone,
        horizon.local_midnight,
        epoch(horizon.local_midnight) - epoch(timezone(zones.time_zone, horizon.local_midnight)) as ahead_seconds,
        lag(ahead_seconds) over in_time = ahead_seconds and lead(ahead_seconds) over in_time = ahead_seconds as is_steady
    from (select distinct time_zone from schedules) as zones
    cross join horizon
    window in_time as (partition by zones.time_zone order by horizon.local_midnight)
),

-- The parts of a date that its holidays leave, in minutes; most dates have no holiday and are not here.
holidays as (
    select distinct
        schedules.account_id,
        schedules.schedule_id,
        holidays.holiday_date,
        coalesce({{ minute_of_day('holidays.start_time') }}, 0) as start_minute,
        coalesce(nullif({{ minute_of_day('holidays.end_time') }}, 0), 1440) as end_minute
    from {{ ref('holidays') }} as holidays
    inner join first_readings as schedules
        on coalesce(holidays.account_id, schedules.account_id) = schedules.account_id
        and coalesce(holidays.schedule_id, schedules.schedule_id) = schedules.schedule_id
),

gaps_between_holidays as (
    select
        account_id,
        schedule_id,
        holiday_date,
        coalesce(max(end_minute) over (
            partition by account_id, schedule_id, holiday_date
            order by start_minute, end_minute
            rows between unbounded preceding and 1 preceding
        ), 0) as open_from_minute,
        start_minute as open_to_minute
    from holidays
    union all
    select account_id, schedule_id, holiday_date, max(end_minute) as open_from_minute, 1440 as open_to_minute
    from holidays
    group by account_id, schedule_id, holiday_date
),

hours_of_date as (
    select
        pieces.account_id,
        pieces.schedule_id,
        pieces.time_zone,
        pieces.holds_from,
        pieces.holds_to,
        zone_dates.local_midnight,
        zone_dates.ahead_seconds,
        zone_dates.is_steady,
        greatest(pieces.start_minute, coalesce(gaps.open_from_minute, 0)) as start_minute,
        least(pieces.end_minute, coalesce(gaps.open_to_minute, 1440)) as end_minute
    from pieces
    inner join zone_dates
        on pieces.time_zone = zone_dates.time_zone
        and pieces.day_of_week = isodow(zone_dates.local_midnight)
    left join gaps_between_holidays as gaps
        on pieces.account_id = gaps.account_id
        and pieces.schedule_id = gaps.schedule_id
        and cast(zone_dates.local_midnight as date) = gaps.holiday_date
),

absolute as (
    select
        account_id,
        schedule_id,
        holds_from,
        holds_to,
        case
            when is_steady then to_timestamp(epoch(local_midnight) + start_minute * 60 - ahead_seconds)
            else {{ first_instant_of('local_midnight + to_minutes(start_minute)', 'time_zone') }}
        end as starts_at,
        case
            when is_steady then to_timestamp(epoch(local_midnight) + end_minute * 60 - ahead_seconds)
            -- A day ends when the next begins. Any other end that the clock shows twice is the second of the two.
            when end_minute = 1440 then {{ first_instant_of('local_midnight + interval 1 day', 'time_zone') }}
            else timezone(time_zone, local_midnight + to_minutes(end_minute))
        end as ends_at
    from hours_of_date
    where start_minute < end_minute
),

held as (
    select
        account_id,
        schedule_id,
        greatest(starts_at, holds_from) as starts_at,
        least(ends_at, holds_to) as ends_at
    from absolute
),

marked as (
    select
        *,
        starts_at > max(ends_at) over (
            partition by account_id, schedule_id
            order by starts_at, ends_at
            rows between unbounded preceding and 1 preceding
        ) is not false as is_start
    from held
    where starts_at < ends_at
),

numbered as (
    select
        *,
        count(*) filter (where is_start) over (
            partition by account_id, schedule_id order by starts_at, ends_at
        ) as stretch_number
    from marked
),

stretches as (
    select account_id, schedule_id, min(starts_at) as starts_at, max(ends_at) as ends_at
    from numbered
    group by account_id, schedule_id, stretch_number
    union all
    select account_id, schedule_id, {{ before_all_time() }}, {{ before_all_time() }}
    from first_readings
),

measured as (
    select *, (epoch_us(ends_at) - epoch_us(starts_at)) // 1000000 as stretch_seconds
    from stretches
)

select
    account_id,
    schedule_id,
    starts_at,
    ends_at,
    stretch_seconds,
    cast(coalesce(sum(stretch_seconds) over (
        partition by account_id, schedule_id
        order by starts_at
        rows between unbounded preceding and 1 preceding
    ), 0) as bigint) as seconds_before
from measured
