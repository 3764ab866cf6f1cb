-- One row per account, date and name of a tag on a mention of that date.
select
    tags.account_id,
    mentions.mention_date,
    tags.tag,
    mentions.reporting_time_zone,
    {{ mention_sums() }},
    count(*) filter (where not mentions.is_own and mentions.sentiment = 'positive') as positive_count,
    count(*) filter (where not mentions.is_own and mentions.sentiment = 'negative') as negative_count
from {{ ref('bridge_mention_tags') }} as tags
inner join {{ ref('fct_mentions') }} as mentions
    on tags.account_id = mentions.account_id
    and tags.unique_id = mentions.unique_id
where not mentions.is_deleted and mentions.mention_date is not null
group by tags.account_id, mentions.mention_date, tags.tag, mentions.reporting_time_zone
