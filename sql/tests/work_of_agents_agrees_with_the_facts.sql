-- The daily rows of agents, added up, hold every action of a person on a mention that is alive, and its times, once.
with facts as (
    select
        count(*) filter (where action_type is distinct from 'like') as action_count,
        count(*) filter (where action_type = 'reply') as reply_count,
        count(*) filter (where action_type = 'like') as like_count,
        count(*) filter (where is_resolve) as resolve_count,
        count(*) filter (where is_reopening) as reopening_count
    from {{ ref('fct_mention_actions') }}
    where actor_kind = 'human' and not is_deleted and action_at is not null
),

times as (
    select
        count(first_human_response_seconds) as first_human_response_known_count,
        sum(first_human_response_seconds) as first_human_response_seconds_sum,
        count(first_human_response_business_hours_seconds) as first_human_response_business_hours_known_count,
        sum(first_human_response_business_hours_seconds) as first_human_response_business_hours_seconds_sum,
        count(resolve_seconds) filter (where first_resolve_actor_kind = 'human') as resolve_known_count,
        sum(resolve_seconds) filter (where first_resolve_actor_kind = 'human') as resolve_seconds_sum,
        sum(resolve_business_hours_seconds) filter (where first_resolve_actor_kind = 'human')
            as resolve_business_hours_seconds_sum
    from {{ ref('fct_mentions') }}
    where is_in_response_metrics
),

assignments as (
    select
        count(*) as assignments_received_count,
        count(assignments.ended_at) as assignments_ended_count,
        sum(assignments.assignment_seconds) as assignment_seconds_sum
    from {{ ref('fct_assignments') }} as assignments
    inner join {{ ref('fct_mentions') }} as mentions
        on assignments.account_id = mentions.account_id
        and assignments.unique_id = mentions.unique_id
    where assignments.object = 'mention' and assignments.assignee_type = 'agent' and not mentions.is_deleted
),

{% set names = [
    'action_count', 'reply_count', 'like_count', 'resolve_count', 'reopening_count',
    'first_human_response_known_count', 'first_human_response_seconds_sum',
    'first_human_response_business_hours_known_count', 'first_human_response_business_hours_seconds_sum',
    'resolve_known_count', 'resolve_seconds_sum', 'resolve_business_hours_seconds_sum',
    'assignments_received_count', 'assignments_ended_count', 'assignment_seconds_sum',
] -%}
daily as (
    select
        {%- for name in names %}
        sum({{ name }}) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('agg_agents_daily') }}
    where object = 'mention'
),

expected as (
    select * from facts, times, assignments
)

select expected, daily
from expected, daily
where
    {%- for name in names %}
    coalesce(expected.{{ name }}, 0) <> coalesce(daily.{{ name }}, 0)
    {{- ' or' if not loop.last }}
    {%- endfor %}
