{{ config(materialized='view') }}
-- One row per account, object, level, topic where the level has it, and status.
with items as (
    {{ items_of_facts() }}
),

stretches as (
    select
        intervals.account_id,
        intervals.object,
        items.topic_id,
        intervals.status,
        intervals.is_current,
        intervals.interval_seconds,
        intervals.interval_business_hours_seconds
    from {{ ref('fct_status_intervals') }} as intervals
    inner join items
        on intervals.account_id = items.account_id
        and intervals.object = items.object
        and intervals.unique_id = items.unique_id
    where not items.is_own and items.deleted_at is null
),

measured as (
{%- for level in ['topic', 'total'] %}
    select
        account_id,
        object,
        '{{ level }}' as level,
        {{ 'topic_id' if level == 'topic' else "'all'" }} as topic_id,
        status,
        count(*) as entered_count,
        count(*) filter (where is_current) as current_count,
        {%- for clock in ['', '_business_hours'] %}
        count(interval{{ clock }}_seconds) as interval{{ clock }}_known_count,
        avg(interval{{ clock }}_seconds) as interval{{ clock }}_mean_seconds,
        quantile_cont(interval{{ clock }}_seconds, [0.5, 0.9]) as interval{{ clock }}_percentiles
        {{- ',' if not loop.last }}
        {%- endfor %}
    from stretches
    group by all
    {{- '\n    union all' if not loop.last }}
{%- endfor %}
)

select
    measured.account_id,
    measured.object,
    measured.level,
    measured.topic_id,
    case when measured.topic_id = 'all' then 'All topics' else topics.topic_name end as topic_name,
    measured.status,
    measured.entered_count,
    measured.current_count,
    {%- for clock in ['', '_business_hours'] %}
    measured.interval{{ clock }}_known_count,
    measured.interval{{ clock }}_mean_seconds,
    measured.interval{{ clock }}_percentiles[1] as interval{{ clock }}_p50_seconds,
    measured.interval{{ clock }}_percentiles[2] as interval{{ clock }}_p90_seconds
    {{- ',' if not loop.last }}
    {%- endfor %}
from measured
left join {{ ref('dim_topics') }} as topics
    on measured.account_id = topics.account_id
    and measured.topic_id = topics.topic_id
