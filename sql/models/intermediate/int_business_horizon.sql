-- One row: the first and the last local date for which business time is worked out.
with instants as (
    {%- for relation in ['stg_mentions', 'stg_cases', 'stg_case_linked_mentions'] %}
    select min(least(published_at, added_at)) as instant from {{ ref(relation) }}
    union all
    {%- endfor %}
    {%- for relation in ['stg_mention_actions', 'stg_case_actions'] %}
    select min(added_at) as instant from {{ ref(relation) }}
    union all
    {%- endfor %}
    select as_of as instant from {{ ref('int_as_of') }}
)

select
    -- Two days more on each side than any zone's dates are away from those of UTC.
    cast(timezone('UTC', min(instant)) as date) - 2 as first_date,
    -- Three years: what a target may be ahead. is_within_horizon of fct_sla_events is tested.
    cast(timezone('UTC', (select as_of from {{ ref('int_as_of') }})) as date) + 1096 as last_date
from instants
