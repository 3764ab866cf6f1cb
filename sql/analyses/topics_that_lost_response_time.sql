-- Which topics answer more slowly this week than last week?
-- Weeks are the last seven dates before the build, and the seven before those; means are sums over known counts.
with days as (
    select
        daily.account_id,
        daily.topic_id,
        daily.mention_date >= {{ reporting_date('summary.as_of') }} - 7 as is_this_week,
        daily.first_response_known_count,
        daily.first_response_seconds_sum
    from {{ ref('agg_response_times_daily') }} as daily
    inner join {{ ref('agg_account_summary') }} as summary on daily.account_id = summary.account_id
    where
        daily.mention_date >= {{ reporting_date('summary.as_of') }} - 14
        and daily.mention_date < {{ reporting_date('summary.as_of') }}
),

weeks as (
    select
        account_id,
        topic_id,
        sum(first_response_seconds_sum) filter (where is_this_week)
        / nullif(sum(first_response_known_count) filter (where is_this_week), 0) / 60 as this_week_mean_minutes,
        sum(first_response_seconds_sum) filter (where not is_this_week)
        / nullif(sum(first_response_known_count) filter (where not is_this_week), 0) / 60 as last_week_mean_minutes
    from days
    group by account_id, topic_id
)

select
    weeks.account_id,
    topics.topic_name,
    round(weeks.last_week_mean_minutes, 1) as last_week_mean_minutes,
    round(weeks.this_week_mean_minutes, 1) as this_week_mean_minutes,
    round(weeks.this_week_mean_minutes - weeks.last_week_mean_minutes, 1) as lost_minutes
from weeks
inner join {{ ref('dim_topics') }} as topics
    on weeks.account_id = topics.account_id
    and weeks.topic_id = topics.topic_id
order by lost_minutes desc nulls last, weeks.account_id, topics.topic_name
