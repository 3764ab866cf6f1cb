-- How satisfied are the customers of each channel, and of how many answers is that?
-- Means and shares are sums over known counts: the mean of the days' means would give a day of one answer the weight of
-- a day of fifty. Scores of different surveys are on different scales.
select
    account_id,
    survey_kind,
    channel,
    cast(sum(answer_count) as bigint) as answer_count,
    cast(sum(score_known_count) as bigint) as known_count,
    round(sum(score_sum) / nullif(sum(score_known_count), 0), 2) as score_mean,
    case when survey_kind = 'csat' then round(sum(satisfied_count) / nullif(sum(score_known_count), 0), 3) end as satisfied_share,
    case
        when survey_kind = 'nps'
            then round(100 * (sum(promoter_count) - sum(detractor_count)) / nullif(sum(score_known_count), 0), 1)
    end as net_promoter_score
from {{ ref('agg_satisfaction_daily') }}
group by account_id, survey_kind, channel
order by account_id, survey_kind, answer_count desc, channel
