-- What share of each channel's mentions is answered within one business hour?
-- Of mentions whose business time is known, and of all, where what has no reply counts as not answered within it.
select
    account_id,
    channel,
    count(*) as mention_count,
    count(first_response_business_hours_seconds) as known_count,
    count(*) filter (where first_response_business_hours_seconds <= 3600) as within_an_hour_count,
    round(within_an_hour_count / nullif(known_count, 0), 3) as share_of_known,
    round(within_an_hour_count / mention_count, 3) as share_of_all
from {{ ref('fct_mentions') }}
where is_in_response_metrics
group by account_id, channel
order by account_id, mention_count desc, channel
