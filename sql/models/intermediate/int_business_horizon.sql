-- One row: the first and the last local date for which business time is worked out.
with earliest as (
    select min(least(published_at, added_at)) as instant from {{ ref('stg_mentions') }}
    union all
    select min(least(published_at, added_at)) as instant from {{ ref('stg_cases') }}
    union all
    select min(added_at) as instant from {{ ref('stg_mention_actions') }}
    union all
    select as_of as instant from {{ ref('int_as_of') }}
)

select
    -- Two days more on each side than any zone's dates are away from those of UTC.
    cast(timezone('UTC', min(instant)) as date) - 2 as first_date,
    -- Three years: what a target may be ahead. is_within_horizon of fct_sla_events is tested.
    cast(timezone('UTC', (select as_of from {{ ref('int_as_of') }})) as date) + 1096 as last_date
from earliest
