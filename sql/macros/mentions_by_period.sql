{#-
    What rpt_channels and rpt_tags say alike: mentions of all time and of each month by `dimension`, from a CTE `mentions`
    that has it. Shares are of all mentions, of which one with several tags is one.
-#}
{% macro mentions_by_period(dimension) -%}
{%- set periods = ['all', 'month'] %}
{%- set measures = ['first_response', 'first_response_business_hours', 'resolve'] %}
totals as (
{%- for period in periods %}
    select
        account_id,
        '{{ period }}' as period,
        {{ "cast(date_trunc('month', mention_date) as date)" if period == 'month' else 'cast(null as date)' }} as period_start_date,
        count(*) filter (where not is_own) as total_count
    from {{ ref('fct_mentions') }}
    where not is_deleted and mention_date is not null
    group by all
    {{- '\n    union all' if not loop.last }}
{%- endfor %}
),

measured as (
{%- for period in periods %}
    select
        account_id,
        '{{ period }}' as period,
        {{ "cast(date_trunc('month', mention_date) as date)" if period == 'month' else 'cast(null as date)' }} as period_start_date,
        {{ dimension }},
        reporting_time_zone,
        count(*) filter (where not is_own) as mention_count,
        count(*) filter (where is_own) as own_mention_count,
        count(distinct author_id) filter (where not is_own) as authors_count,
        count(*) filter (where not is_own and sentiment = 'positive') as positive_count,
        count(*) filter (where not is_own and sentiment = 'negative') as negative_count,
        count(*) filter (where not is_own and has_reply) as replied_count,
        count(*) filter (where not is_own and has_resolve) as resolved_count,
        count(*) filter (where not is_own and status <> 'done') as unresolved_count,
        {%- for measure in measures %}
        count({{ measure }}_seconds) filter (where not is_own) as {{ measure }}_known_count,
        avg({{ measure }}_seconds) filter (where not is_own) as {{ measure }}_mean_seconds,
        quantile_cont({{ measure }}_seconds, [0.5, 0.9]) filter (where not is_own) as {{ measure }}_percentiles
        {{- ',' if not loop.last }}
        {%- endfor %}
    from mentions
    group by all
    {{- '\n    union all' if not loop.last }}
{%- endfor %}
)

select
    measured.account_id,
    measured.period,
    measured.period_start_date,
    measured.{{ dimension }},
    measured.reporting_time_zone,
    measured.mention_count,
    measured.mention_count / nullif(totals.total_count, 0) as mention_share,
    measured.own_mention_count,
    measured.authors_count,
    measured.positive_count / nullif(measured.mention_count, 0) as positive_share,
    measured.negative_count / nullif(measured.mention_count, 0) as negative_share,
    measured.replied_count,
    measured.replied_count / nullif(measured.mention_count, 0) as replied_share,
    measured.resolved_count,
    measured.resolved_count / nullif(measured.mention_count, 0) as resolved_share,
    measured.unresolved_count
    {%- for measure in measures %},
    measured.{{ measure }}_known_count,
    measured.{{ measure }}_mean_seconds,
    measured.{{ measure }}_percentiles[1] as {{ measure }}_p50_seconds,
    measured.{{ measure }}_percentiles[2] as {{ measure }}_p90_seconds
    {%- endfor %}
from measured
left join totals
    on measured.account_id = totals.account_id
    and measured.period = totals.period
    and measured.period_start_date is not distinct from totals.period_start_date
{%- endmacro %}
