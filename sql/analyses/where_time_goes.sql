-- Of the time until a mention is first resolved, how much does it wait for an agent, and how much has an agent had it?
-- Over mentions resolved and never reopened, so that all of their time is before the resolve.
select
    mentions.account_id,
    topics.topic_name,
    count(*) as mention_count,
    round(avg(mentions.queue_seconds) / 3600, 2) as queue_mean_hours,
    round(avg(mentions.owned_seconds) / 3600, 2) as owned_mean_hours,
    round(sum(mentions.queue_seconds) / nullif(sum(mentions.queue_seconds + mentions.owned_seconds), 0), 3) as queue_share,
    round(quantile_cont(mentions.resolve_seconds, 0.5) / 3600, 2) as resolve_p50_hours,
    round(quantile_cont(mentions.resolve_seconds, 0.9) / 3600, 2) as resolve_p90_hours
from {{ ref('fct_mentions') }} as mentions
left join {{ ref('dim_topics') }} as topics
    on mentions.account_id = topics.account_id
    and mentions.topic_id = topics.topic_id
where mentions.is_in_response_metrics and mentions.status = 'done' and mentions.reopening_count = 0
group by mentions.account_id, topics.topic_name
order by mentions.account_id, mention_count desc, topics.topic_name
