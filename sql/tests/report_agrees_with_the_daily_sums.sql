-- Each level of the report holds every mention that the daily rows hold, once, and its means give back their sums.
with daily as (
    select
        account_id,
        sum(mention_count) as mention_count,
        sum(replied_count) as replied_count,
        sum(first_response_seconds_sum) as first_response_seconds_sum,
        sum(resolve_seconds_sum) as resolve_seconds_sum
    from {{ ref('agg_response_times_daily') }}
    group by account_id
),

report as (
    select
        account_id,
        level,
        sum(mention_count) as mention_count,
        sum(replied_count) as replied_count,
        coalesce(sum(first_response_mean_seconds * first_response_known_count), 0) as first_response_seconds_sum,
        coalesce(sum(resolve_mean_seconds * resolve_known_count), 0) as resolve_seconds_sum
    from {{ ref('rpt_response_times') }}
    group by account_id, level
)

select report.*
from report
left join daily on report.account_id = daily.account_id
where
    report.mention_count is distinct from daily.mention_count
    or report.replied_count is distinct from daily.replied_count
    -- A mean is a binary fraction: times its count it may miss the whole sum by a hair.
    or abs(report.first_response_seconds_sum - daily.first_response_seconds_sum) > 0.5
    or abs(report.resolve_seconds_sum - daily.resolve_seconds_sum) > 0.5
