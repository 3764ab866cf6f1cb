-- Does the team answer a larger share within a day than it did, week by week?
-- Of customers' mentions whose publication is known and that were at least a day old at the build: a younger one may
-- still be answered in time. No reply counts as not answered within it.
select
    facts.account_id,
    cast(date_trunc('week', facts.mention_date) as date) as week_start_date,
    count(*) as old_enough_count,
    count(*) filter (where facts.first_response_seconds <= 86400) as within_a_day_count,
    round(within_a_day_count / old_enough_count, 3) as within_a_day_share,
    round(count(*) filter (where facts.first_human_response_seconds <= 86400) / old_enough_count, 3) as by_a_person_share
from {{ ref('fct_mentions') }} as facts
inner join {{ ref('agg_account_summary') }} as summary on facts.account_id = summary.account_id
where
    facts.is_in_response_metrics
    and facts.published_at <= summary.as_of - interval 24 hours
group by facts.account_id, week_start_date
order by facts.account_id, week_start_date
