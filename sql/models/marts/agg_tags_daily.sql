{{ incremental_by_difference(['account_id', 'mention_date', 'tag', 'reporting_time_zone']) }}
-- One row per account, date and name of a tag on a mention of that date.
with tagged as (
    select mentions.*, tags.tag
    from {{ weighted(ref('bridge_mention_tags')) }} as tags
    inner join {{ weighted(ref('fct_mentions')) }} as mentions
        on tags.account_id = mentions.account_id
        and tags.unique_id = mentions.unique_id
        and tags.weight = mentions.weight
    where not mentions.is_deleted and mentions.mention_date is not null
)

select
    account_id,
    mention_date,
    tag,
    reporting_time_zone,
    {{ mention_sums() }},
    {{ counted("not is_own and sentiment = 'positive'") }} as positive_count,
    {{ counted("not is_own and sentiment = 'negative'") }} as negative_count
from tagged
group by account_id, mention_date, tag, reporting_time_zone
