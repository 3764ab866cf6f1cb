-- The daily rows, added up, hold every answer on what is not deleted, once; so does each level of the report.
with facts as (
    select
        account_id,
        object,
        survey_kind,
        count(*) as answer_count,
        count(score) as score_known_count,
        coalesce(sum(score), 0) as score_sum
    from {{ ref('fct_satisfaction') }}
    where not is_deleted and answer_date is not null
    group by all
),

daily as (
    select
        account_id,
        object,
        survey_kind,
        sum(answer_count) as answer_count,
        sum(score_known_count) as score_known_count,
        sum(score_sum) as score_sum
    from {{ ref('agg_satisfaction_daily') }}
    group by all
),

report as (
    select
        account_id,
        object,
        survey_kind,
        level,
        sum(answer_count) as answer_count,
        sum(score_known_count) as score_known_count
    from {{ ref('rpt_satisfaction') }}
    group by all
)

select facts, daily, report
from facts
full join daily using (account_id, object, survey_kind)
full join report using (account_id, object, survey_kind)
where
    facts.answer_count is distinct from daily.answer_count
    or facts.score_known_count is distinct from daily.score_known_count
    or facts.score_sum is distinct from daily.score_sum
    or facts.answer_count is distinct from report.answer_count
    or facts.score_known_count is distinct from report.score_known_count
