-- The rows of channels, added up, hold every mention that is alive, once; so do the rows of each view's total.
with facts as (
    select
        account_id,
        count(*) filter (where not is_own) as mention_count,
        count(*) filter (where is_own) as own_mention_count,
        count(*) filter (where not is_own and has_reply) as replied_count,
        count(*) filter (where not is_own and status <> 'done') as unresolved_count,
        coalesce(sum(first_response_seconds) filter (where not is_own), 0) as first_response_seconds_sum
    from {{ ref('fct_mentions') }}
    where not is_deleted and mention_date is not null
    group by account_id
),

sums as (
    select
        account_id,
        'agg_channels_daily' as what,
        sum(mention_count) as mention_count,
        sum(own_mention_count) as own_mention_count,
        sum(replied_count) as replied_count,
        sum(unresolved_count) as unresolved_count,
        sum(first_response_seconds_sum) as first_response_seconds_sum
    from {{ ref('agg_channels_daily') }}
    group by account_id
    union all
    select
        account_id,
        'rpt_channels ' || period as what,
        sum(mention_count) as mention_count,
        sum(own_mention_count) as own_mention_count,
        sum(replied_count) as replied_count,
        sum(unresolved_count) as unresolved_count,
        coalesce(sum(first_response_mean_seconds * first_response_known_count), 0) as first_response_seconds_sum
    from {{ ref('rpt_channels') }}
    group by account_id, period
    union all
    select
        account_id,
        'rpt_overview ' || level as what,
        sum(mention_count) as mention_count,
        sum(own_mention_count) as own_mention_count,
        sum(replied_count) as replied_count,
        sum(unresolved_count) as unresolved_count,
        coalesce(sum(first_response_mean_seconds * first_response_known_count), 0) as first_response_seconds_sum
    from {{ ref('rpt_overview') }}
    group by account_id, level
    union all
    select
        facts.account_id,
        'rpt_volume_by_hour_and_weekday ' || level as what,
        sum(heat.mention_count) as mention_count,
        sum(heat.own_mention_count) as own_mention_count,
        any_value(facts.replied_count) as replied_count,
        any_value(facts.unresolved_count) as unresolved_count,
        any_value(facts.first_response_seconds_sum) as first_response_seconds_sum
    from {{ ref('rpt_volume_by_hour_and_weekday') }} as heat
    inner join facts on heat.account_id = facts.account_id
    group by facts.account_id, heat.level
)

select sums.*, facts.*
from sums
left join facts on sums.account_id = facts.account_id
where
    sums.mention_count is distinct from facts.mention_count
    or sums.own_mention_count <> facts.own_mention_count
    or sums.replied_count <> facts.replied_count
    or sums.unresolved_count <> facts.unresolved_count
    -- A mean is a binary fraction: times its count it may miss the whole sum by a hair.
    or abs(sums.first_response_seconds_sum - facts.first_response_seconds_sum) > 0.5
