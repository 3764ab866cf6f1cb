{{ incremental_by_difference(['account_id', 'mention_date', 'topic_id', 'channel', 'reporting_time_zone']) }}
-- One row per account, date, topic and channel. Sums and counts only: they add up over any of these.
select
    account_id,
    mention_date,
    topic_id,
    channel,
    reporting_time_zone,
    {{ counted() }} as mention_count,
    {{ counted('has_reply') }} as replied_count,
    {{ counted('has_resolve') }} as resolved_count,
{%- set measures = [
    'first_response', 'first_human_response', 'resolve',
    'api_response_time', 'api_response_time_business_hours',
    'api_resolve_time', 'api_resolve_time_business_hours', 'api_handle_time',
    'first_response_business_hours', 'first_human_response_business_hours', 'resolve_business_hours',
    'first_action', 'first_action_business_hours', 'first_assignment', 'first_assignment_business_hours',
] %}
{%- for measure in measures %}
    {{ counted(measure ~ '_seconds is not null') }} as {{ measure }}_known_count,
    {{ summed(measure ~ '_seconds') }} as {{ measure }}_seconds_sum
    {{- ',' if not loop.last }}
{%- endfor %}
from {{ weighted(ref('fct_mentions')) }}
where is_in_response_metrics and mention_date is not null
group by account_id, mention_date, topic_id, channel, reporting_time_zone
