{{ config(materialized='view') }}
-- One row per account, object, kind of survey and level, and per date, topic or channel where the level has it.
with daily as (
    select * from {{ ref('agg_satisfaction_daily') }}
),

summed as (
{%- for level in ['day', 'topic', 'channel', 'total'] %}
    select
        account_id,
        object,
        survey_kind,
        '{{ level }}' as level,
        {{ 'answer_date' if level == 'day' else 'cast(null as date)' }} as answer_date,
        {{ 'topic_id' if level == 'topic' else "'all'" }} as topic_id,
        {{ 'channel' if level == 'channel' else "'all'" }} as channel,
        reporting_time_zone,
        cast(sum(answer_count) as bigint) as answer_count,
        cast(sum(score_known_count) as bigint) as score_known_count,
        -- Null rather than 0, so that nothing known gives no mean and no share.
        nullif(sum(score_known_count), 0) as denominator,
        sum(score_sum) as score_sum,
        sum(satisfied_count) as satisfied_count,
        sum(promoter_count) as promoter_count,
        sum(detractor_count) as detractor_count
    from daily
    group by all
    {%- if not loop.last %}
    union all
    {%- endif %}
{%- endfor %}
)

select
    summed.account_id,
    summed.object,
    summed.survey_kind,
    summed.level,
    summed.answer_date,
    summed.topic_id,
    case when summed.topic_id = 'all' then 'All topics' else topics.topic_name end as topic_name,
    summed.channel,
    summed.reporting_time_zone,
    summed.answer_count,
    summed.score_known_count,
    cast(summed.score_sum as double) / summed.denominator as score_mean,
    case when summed.survey_kind = 'csat' then summed.satisfied_count / summed.denominator end as satisfied_share,
    case
        when summed.survey_kind = 'nps'
            then 100 * (summed.promoter_count - summed.detractor_count) / summed.denominator
    end as net_promoter_score
from summed
left join {{ ref('dim_topics') }} as topics
    on summed.account_id = topics.account_id
    and summed.topic_id = topics.topic_id
