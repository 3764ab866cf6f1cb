{{ incremental_by_difference(['account_id', 'measure', 'added_date']) }}
-- One row per account, measure of which the API has a value on each item, and date: how its values and ours compare.
{%- set times = {
    'response_time': 'first_response',
    'response_time_business_hours': 'first_response_business_hours',
    'resolve_time': 'resolve',
    'resolve_time_business_hours': 'resolve_business_hours',
} %}
{%- set times_of_cases = {
    'unresolved_time': 'unresolved',
    'unresolved_time_business_hours': 'unresolved_business_hours',
    'pending_time': 'pending',
} %}
{%- set facts = [('mention', times), ('case', dict(times, **times_of_cases))] %}
{%- set columns = [
    'compared_count', 'both_count', 'theirs_seconds_sum', 'ours_seconds_sum', 'equal_count', 'only_theirs_count',
    'unknown_time_count', 'negative_count', 'contradicted_count', 'different_count',
] %}

-- All measures of a date in one row first: the facts are read once.
with
{%- for object, all_times in facts %}
{{ object }}_dates as (
    select
        facts.account_id,
        {{ reporting_date('facts.added_at', 'day') }} as added_date
        {%- for theirs, ours in all_times.items() %}
        {%- set ours_seconds = 'facts.' ~ ours ~ '_seconds' %}
        {%- set theirs_seconds = 'facts.api_' ~ theirs ~ '_seconds' %}
        {%- set both = theirs_seconds ~ ' is not null and ' ~ ours_seconds ~ ' is not null' %}
        {%- set only_theirs = theirs_seconds ~ ' is not null and ' ~ ours_seconds ~ ' is null' %}
        {%- set differs = theirs_seconds ~ ' <> ' ~ ours_seconds %},
        {{ counted(theirs_seconds ~ ' is not null') }} as {{ theirs }}_compared_count,
        {{ counted(both) }} as {{ theirs }}_both_count,
        {{ summed(theirs_seconds, both) }} as {{ theirs }}_theirs_seconds_sum,
        {{ summed(ours_seconds, both) }} as {{ theirs }}_ours_seconds_sum,
        {{ counted(theirs_seconds ~ ' = ' ~ ours_seconds) }} as {{ theirs }}_equal_count,
        {{ counted(only_theirs ~ ' and facts.published_at is not null') }} as {{ theirs }}_only_theirs_count,
        {{ counted(theirs_seconds ~ ' is not null and facts.published_at is null') }} as {{ theirs }}_unknown_time_count,
        {{ counted(differs ~ ' and facts.is_negative_interval') }} as {{ theirs }}_negative_count,
        {{ counted(differs ~ ' and facts.is_status_contradicted') }} as {{ theirs }}_contradicted_count,
        {{ counted(differs) }} as {{ theirs }}_different_count
        {%- endfor %}
    from {{ weighted(ref('fct_' ~ object ~ 's')) }} as facts
    {{ reporting_day('day', 'facts.added_at') }}
    where not facts.is_deleted and facts.added_at is not null
    group by facts.account_id, {{ reporting_date('facts.added_at', 'day') }}
),
{%- endfor %}

by_measure as (
    {%- for object, all_times in facts %}
    {%- set is_last_object = loop.last %}
    {%- for theirs in all_times %}
    select
        account_id,
        '{{ object }}_{{ theirs }}' as measure,
        added_date
        {%- for column in columns %},
        {{ theirs }}_{{ column }} as {{ column }}
        {%- endfor %}
    from {{ object }}_dates
    {{- '\n    union all' if not (loop.last and is_last_object) }}
    {%- endfor %}
    {%- endfor %}
)

select * from by_measure
where {{ columns | join(' <> 0 or ') }} <> 0
