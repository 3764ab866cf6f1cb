-- The rows of tags, added up, hold every tag on a mention that is alive, once.
with facts as (
    select
        tags.account_id,
        tags.tag,
        count(*) filter (where not mentions.is_own) as mention_count,
        count(*) filter (where mentions.is_own) as own_mention_count
    from {{ ref('bridge_mention_tags') }} as tags
    inner join {{ ref('fct_mentions') }} as mentions
        on tags.account_id = mentions.account_id
        and tags.unique_id = mentions.unique_id
    where not mentions.is_deleted and mentions.mention_date is not null
    group by tags.account_id, tags.tag
),

sums as (
    select account_id, tag, sum(mention_count) as mention_count, sum(own_mention_count) as own_mention_count
    from {{ ref('agg_tags_daily') }}
    group by account_id, tag
    union all
    select account_id, tag, sum(mention_count) as mention_count, sum(own_mention_count) as own_mention_count
    from {{ ref('rpt_tags') }}
    group by account_id, tag, period
)

select sums.*, facts.*
from sums
full join facts
    on sums.account_id = facts.account_id
    and sums.tag = facts.tag
where
    sums.mention_count is distinct from facts.mention_count
    or sums.own_mention_count is distinct from facts.own_mention_count
