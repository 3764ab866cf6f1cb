-- One row per account, date, topic and channel. Sums and counts only: they add up over any of these.
select
    account_id,
    mention_date,
    topic_id,
    channel,
    reporting_time_zone,
    count(*) as mention_count,
    count(*) filter (where has_reply) as replied_count,
    count(*) filter (where has_resolve) as resolved_count,
{%- set measures = [
    'first_response', 'first_human_response', 'resolve',
    'api_response_time', 'api_response_time_business_hours',
    'api_resolve_time', 'api_resolve_time_business_hours', 'api_handle_time',
    'first_response_business_hours', 'first_human_response_business_hours', 'resolve_business_hours',
    'first_action', 'first_action_business_hours', 'first_assignment', 'first_assignment_business_hours',
] %}
{%- for measure in measures %}
    count({{ measure }}_seconds) as {{ measure }}_known_count,
    cast(coalesce(sum({{ measure }}_seconds), 0) as bigint) as {{ measure }}_seconds_sum
    {{- ',' if not loop.last }}
{%- endfor %}
from {{ ref('fct_mentions') }}
where is_in_response_metrics and mention_date is not null
group by account_id, mention_date, topic_id, channel, reporting_time_zone
