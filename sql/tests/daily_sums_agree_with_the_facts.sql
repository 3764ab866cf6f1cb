-- The daily rows, added up, hold every mention that counts, once.
with facts as (
    select
        count(*) as mention_count,
        count(*) filter (where has_reply) as replied_count,
        count(first_response_seconds) as first_response_known_count,
        sum(first_response_seconds) as first_response_seconds_sum,
        count(resolve_seconds) as resolve_known_count,
        sum(resolve_seconds) as resolve_seconds_sum,
        count(first_response_business_hours_seconds) as first_response_business_hours_known_count,
        sum(resolve_business_hours_seconds) as resolve_business_hours_seconds_sum,
        sum(first_action_seconds) as first_action_seconds_sum,
        sum(first_assignment_seconds) as first_assignment_seconds_sum
    from {{ ref('fct_mentions') }}
    where is_in_response_metrics and mention_date is not null
),

daily as (
    select
        sum(mention_count) as mention_count,
        sum(replied_count) as replied_count,
        sum(first_response_known_count) as first_response_known_count,
        sum(first_response_seconds_sum) as first_response_seconds_sum,
        sum(resolve_known_count) as resolve_known_count,
        sum(resolve_seconds_sum) as resolve_seconds_sum,
        sum(first_response_business_hours_known_count) as first_response_business_hours_known_count,
        sum(resolve_business_hours_seconds_sum) as resolve_business_hours_seconds_sum,
        sum(first_action_seconds_sum) as first_action_seconds_sum,
        sum(first_assignment_seconds_sum) as first_assignment_seconds_sum
    from {{ ref('agg_response_times_daily') }}
)

select facts, daily
from facts, daily
where
    {%- for name in [
        'mention_count', 'replied_count',
        'first_response_known_count', 'first_response_seconds_sum', 'resolve_known_count', 'resolve_seconds_sum',
        'first_response_business_hours_known_count', 'resolve_business_hours_seconds_sum', 'first_action_seconds_sum',
        'first_assignment_seconds_sum',
    ] %}
    coalesce(facts.{{ name }}, 0) <> coalesce(daily.{{ name }}, 0)
    {{- ' or' if not loop.last }}
    {%- endfor %}
