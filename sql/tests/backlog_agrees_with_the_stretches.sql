-- On some ten dates and on the last, the backlog is what the stretches of status say of that instant.
with dates as (
    select
        account_id,
        backlog_date,
        any_value(measured_at) as measured_at,
        sum(open_count) as open_count,
        sum(unassigned_count) as unassigned_count,
        min(open_count) as least_open_count,
        min(age_seconds_sum) as least_age_seconds_sum
    from {{ ref('agg_backlog_daily') }}
    group by account_id, backlog_date
),

days as (
    select *
    from dates
    qualify
        row_number() over (partition by account_id order by backlog_date desc)
        % greatest(count(*) over (partition by account_id) // 10, 1) = 1
        or least_open_count < 0
        or least_age_seconds_sum < 0
        or count(*) over (partition by account_id) < 20
),

moments as (
    -- What begins or ends at midnight belongs to the next date.
    select
        *,
        case when backlog_date = {{ reporting_date('measured_at') }} then measured_at else measured_at - interval 1 microsecond end
            as moment
    from days
),

counted as (
    select
        moments.account_id,
        moments.backlog_date,
        count(*) as open_count,
        count(*) filter (where not intervals.is_owned) as unassigned_count
    from moments
    inner join {{ ref('int_state_intervals') }} as intervals on moments.account_id = intervals.account_id
    inner join {{ ref('int_items') }} as items
        on intervals.account_id = items.account_id
        and intervals.object = items.object
        and intervals.unique_id = items.unique_id
    where {{ is_open_at('intervals', 'items', 'moments.moment') }}
    group by moments.account_id, moments.backlog_date
)

select moments.*, counted.*
from moments
left join counted
    on moments.account_id = counted.account_id
    and moments.backlog_date = counted.backlog_date
where
    moments.open_count <> coalesce(counted.open_count, 0)
    or moments.unassigned_count <> coalesce(counted.unassigned_count, 0)
    or moments.least_open_count < 0
    or moments.least_age_seconds_sum < 0
