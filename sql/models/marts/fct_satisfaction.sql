-- One row per answer to a satisfaction survey, and per rating, on a mention or a case.
with items as (
    select 'mention' as object, account_id, unique_id, topic_id, source_service, published_at, added_at, deleted_at
    from {{ ref('stg_mentions') }}
    union all
    select 'case' as object, account_id, unique_id, topic_id, source_service, published_at, added_at, deleted_at
    from {{ ref('stg_cases') }}
),

attachments as (
    select 'mention' as object, account_id, unique_id, position, type, question, content
    from {{ ref('stg_mention_attachments') }}
    union all
    select 'case' as object, account_id, unique_id, position, type, question, content
    from {{ ref('stg_case_attachments') }}
),

actions as (
    select object, account_id, unique_id, action_number, action_type, agent_id, is_reply, action_at
    from {{ ref('int_actions') }}
),

-- Answers are listed from the oldest. A decimal, because sums of it do not depend on the order of the rows.
answers as (
    select
        object,
        account_id,
        unique_id,
        replace(type, '_answer', '') as survey_kind,
        question as question_id,
        try_cast(content as decimal(9, 2)) as score,
        row_number() over oldest_first as answer_number,
        row_number() over newest_first as number_from_newest,
        lag(try_cast(content as decimal(9, 2))) over oldest_first as previous_score
    from attachments
    where type in ('csat_answer', 'nps_answer', 'rating_answer')
    window
        oldest_first as (partition by object, account_id, unique_id, type order by position),
        newest_first as (partition by object, account_id, unique_id, type order by position desc)
),

-- Who replied is looked up only where there is an answer: ordering all actions is dear.
actions_before_answers as (
    select
        *,
        last_value(case when is_reply then agent_id end ignore nulls) over (
            partition by object, account_id, unique_id order by action_number
            rows between unbounded preceding and 1 preceding
        ) as last_agent_id
    from actions
    semi join answers using (object, account_id, unique_id)
),

survey_replies as (
    select
        object,
        account_id,
        unique_id,
        replace(action_type, '_reply', '') as survey_kind,
        last_agent_id,
        action_at,
        row_number() over (
            partition by object, account_id, unique_id, action_type order by action_number desc
        ) as number_from_newest
    from actions_before_answers
    where action_type in ('csat_reply', 'nps_reply')
),

-- Paired from the newest: an answer that came with the message itself has no action, and stands before all others.
paired as (
    select
        answers.*,
        survey_replies.action_at as answered_at,
        case when survey_replies.action_at is not null then survey_replies.last_agent_id end as agent_id
    from answers
    left join survey_replies using (object, account_id, unique_id, survey_kind, number_from_newest)
)

select
    paired.account_id,
    paired.object,
    paired.unique_id,
    paired.survey_kind,
    paired.answer_number,
    {{ or_unknown('items.topic_id') }} as topic_id,
    {{ or_unknown('items.source_service') }} as channel,
    paired.question_id,
    paired.agent_id,
    paired.score,
    paired.previous_score,
    paired.answer_number = 1 as is_first,
    paired.number_from_newest = 1 as is_last,
    paired.score > paired.previous_score as is_improved,
    paired.score < paired.previous_score as is_worsened,
    items.deleted_at is not null as is_deleted,
    paired.answered_at,
    {{ reporting_date('coalesce(paired.answered_at, items.published_at, items.added_at)') }} as answer_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone
from paired
left join items using (object, account_id, unique_id)
