-- The hourly rows, added up by date, hold every mention that is alive, once.
with facts as (
    select
        account_id,
        mention_date,
        count(*) filter (where not is_own) as mention_count,
        count(*) filter (where is_own) as own_mention_count
    from {{ ref('fct_mentions') }}
    where not is_deleted and mention_date is not null
    group by account_id, mention_date
),

hourly as (
    select
        account_id,
        mention_date,
        sum(mention_count) as mention_count,
        sum(own_mention_count) as own_mention_count,
        bool_or(in_business_hours_count > business_hours_known_count or business_hours_known_count > mention_count) as is_odd
    from {{ ref('agg_volume_hourly') }}
    group by account_id, mention_date
)

select facts.*, hourly.*
from facts
full join hourly
    on facts.account_id = hourly.account_id
    and facts.mention_date = hourly.mention_date
where
    facts.mention_count is distinct from hourly.mention_count
    or facts.own_mention_count is distinct from hourly.own_mention_count
    or hourly.is_odd
