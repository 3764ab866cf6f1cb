-- One row per account, object, date, topic, channel and kind of survey. Sums and counts only: they add up over any of
-- these but the kind, whose scales differ, and the object, as a case may repeat its mentions' answers.
select
    account_id,
    object,
    answer_date,
    topic_id,
    channel,
    survey_kind,
    reporting_time_zone,
    count(*) as answer_count,
    count(score) as score_known_count,
    cast(coalesce(sum(score), 0) as decimal(18, 2)) as score_sum,
    count(*) filter (where survey_kind = 'csat' and score >= 4) as satisfied_count,
    count(*) filter (where survey_kind = 'nps' and score >= 9) as promoter_count,
    count(*) filter (where survey_kind = 'nps' and score <= 6) as detractor_count
from {{ ref('fct_satisfaction') }}
where not is_deleted and answer_date is not null
group by all
