{{ config(materialized='view') }}
-- One row per account and level, and per date and topic where the level has them.
{%- set levels = [['day', 'topic'], ['day'], ['topic'], []] %}

with mentions as (
    select * from {{ ref('fct_mentions') }}
    where not is_deleted and mention_date is not null
),

-- Different authors cannot be added up, so each level counts them anew.
measured as (
{%- for level in levels %}
    select
        account_id,
        '{{ level | join("_") or "total" }}' as level,
        {{ 'mention_date' if 'day' in level else 'cast(null as date)' }} as mention_date,
        {{ 'topic_id' if 'topic' in level else "'all'" }} as topic_id,
        reporting_time_zone,
        count(*) filter (where not is_own) as mention_count,
        count(*) filter (where is_own) as own_mention_count,
        count(distinct author_id) filter (where not is_own) as authors_count,
        count(*) filter (where not is_own and action_count > 0) as with_actions_count,
        count(*) filter (where not is_own and agents_touched_count > 0) as with_human_actions_count,
        count(*) filter (where not is_own and has_reply) as replied_count,
        count(*) filter (where not is_own and status <> 'done') as unresolved_count,
        count(*) filter (where not is_own and status <> 'done' and not is_owned) as unassigned_count,
        min(mention_at) filter (where not is_own and status <> 'done') as oldest_unresolved_at,
        count(first_action_seconds) filter (where not is_own) as first_action_known_count,
        avg(first_action_seconds) filter (where not is_own) as first_action_mean_seconds,
        count(first_action_business_hours_seconds) filter (where not is_own) as first_action_business_hours_known_count,
        avg(first_action_business_hours_seconds) filter (where not is_own) as first_action_business_hours_mean_seconds,
        count(first_response_seconds) filter (where not is_own) as first_response_known_count,
        avg(first_response_seconds) filter (where not is_own) as first_response_mean_seconds
    from mentions
    group by all
    {%- if not loop.last %}
    union all
    {%- endif %}
{%- endfor %}
)

select
    measured.account_id,
    measured.level,
    measured.mention_date,
    measured.topic_id,
    case when measured.topic_id = 'all' then 'All topics' else topics.topic_name end as topic_name,
    measured.reporting_time_zone,
    measured.mention_count,
    measured.own_mention_count,
    measured.authors_count,
    measured.with_actions_count,
    measured.with_human_actions_count,
    measured.with_actions_count / nullif(measured.mention_count, 0) as with_actions_share,
    measured.replied_count,
    measured.replied_count / nullif(measured.mention_count, 0) as replied_share,
    measured.unresolved_count,
    measured.unassigned_count,
    measured.oldest_unresolved_at,
    {{ seconds_between('measured.oldest_unresolved_at', 'as_of.as_of') }} as oldest_unresolved_age_seconds,
    measured.first_action_known_count,
    measured.first_action_mean_seconds,
    measured.first_action_business_hours_known_count,
    measured.first_action_business_hours_mean_seconds,
    measured.first_response_known_count,
    measured.first_response_mean_seconds
from measured
inner join {{ ref('agg_account_summary') }} as as_of on measured.account_id = as_of.account_id
left join {{ ref('dim_topics') }} as topics
    on measured.account_id = topics.account_id
    and measured.topic_id = topics.topic_id
