-- Which tags are on a larger share of the mentions of the last seven dates than of the seven before?
-- Dates are those before the build's, so that all are over. A share, because volume changes too; a mention with two tags
-- counts for both. Tags are those that mentions have now.
with mentions as (
    select
        facts.account_id,
        facts.unique_id,
        facts.mention_date >= {{ reporting_date('summary.as_of') }} - 7 as is_this_week
    from {{ ref('fct_mentions') }} as facts
    inner join {{ ref('agg_account_summary') }} as summary on facts.account_id = summary.account_id
    where
        facts.is_in_response_metrics
        and facts.mention_date >= {{ reporting_date('summary.as_of') }} - 14
        and facts.mention_date < {{ reporting_date('summary.as_of') }}
),

totals as (
    select
        account_id,
        count(*) filter (where is_this_week) as this_week_count,
        count(*) filter (where not is_this_week) as last_week_count
    from mentions
    group by account_id
)

select
    tags.account_id,
    tags.tag,
    count(*) filter (where not mentions.is_this_week) as last_week_count,
    count(*) filter (where mentions.is_this_week) as this_week_count,
    round(count(*) filter (where not mentions.is_this_week) / nullif(totals.last_week_count, 0), 4) as last_week_share,
    round(count(*) filter (where mentions.is_this_week) / nullif(totals.this_week_count, 0), 4) as this_week_share,
    round(
        count(*) filter (where mentions.is_this_week) / nullif(totals.this_week_count, 0)
        - count(*) filter (where not mentions.is_this_week) / nullif(totals.last_week_count, 0), 4
    ) as grown_share
from mentions
inner join {{ ref('bridge_mention_tags') }} as tags
    on mentions.account_id = tags.account_id
    and mentions.unique_id = tags.unique_id
inner join totals on mentions.account_id = totals.account_id
group by tags.account_id, tags.tag, totals.last_week_count, totals.this_week_count
order by grown_share desc nulls last, tags.account_id, tags.tag
