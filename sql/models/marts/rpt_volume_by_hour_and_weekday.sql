{{ config(materialized='view') }}
-- One row per account, level, topic where the level has it, weekday and hour of the day: 168 cells, also empty ones.
with hours as (
    select * from {{ ref('agg_volume_hourly') }}
),

counted as (
{%- for level in ['topic', 'total'] %}
    select
        account_id,
        '{{ level }}' as level,
        {{ 'topic_id' if level == 'topic' else "'all'" }} as topic_id,
        iso_weekday,
        hour_of_day,
        sum(mention_count) as mention_count,
        sum(own_mention_count) as own_mention_count,
        sum(business_hours_known_count) as business_hours_known_count,
        sum(in_business_hours_count) as in_business_hours_count
    from hours
    group by all
    {{- '\n    union all' if not loop.last }}
{%- endfor %}
),

-- How often each weekday came, from the account's first date with a mention to its last.
weekdays as (
    select account_id, isodow(listed_date) as iso_weekday, count(*) as date_count
    from (
        select
            account_id,
            unnest(generate_series(min(mention_date), max(mention_date), interval 1 day)) as listed_date
        from hours
        group by account_id
    ) as dates
    group by all
),

cells as (
    select
        listed.*,
        weekdays.iso_weekday,
        hours_of_day.hour_of_day
    from (
        select distinct account_id, level, topic_id
        from counted
    ) as listed
    cross join unnest(range(1, 8)) as weekdays (iso_weekday)
    cross join unnest(range(24)) as hours_of_day (hour_of_day)
)

select
    cells.account_id,
    cells.level,
    cells.topic_id,
    case when cells.topic_id = 'all' then 'All topics' else topics.topic_name end as topic_name,
    cells.iso_weekday,
    dayname(date '2024-01-01' + cast(cells.iso_weekday - 1 as integer)) as weekday_name,
    cells.hour_of_day,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    coalesce(weekdays.date_count, 0) as date_count,
    cast(coalesce(counted.mention_count, 0) as bigint) as mention_count,
    cast(coalesce(counted.own_mention_count, 0) as bigint) as own_mention_count,
    coalesce(counted.mention_count, 0) / weekdays.date_count as mention_mean_count,
    counted.in_business_hours_count / nullif(counted.business_hours_known_count, 0) as in_business_hours_share
from cells
left join counted
    on cells.account_id = counted.account_id
    and cells.level = counted.level
    and cells.topic_id = counted.topic_id
    and cells.iso_weekday = counted.iso_weekday
    and cells.hour_of_day = counted.hour_of_day
left join weekdays
    on cells.account_id = weekdays.account_id
    and cells.iso_weekday = weekdays.iso_weekday
left join {{ ref('dim_topics') }} as topics
    on cells.account_id = topics.account_id
    and cells.topic_id = topics.topic_id
