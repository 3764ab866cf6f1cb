-- One row per date, from the earliest to the latest on which a fact falls, days without facts included.
with dated as (
    select mention_date as fact_date from {{ ref('fct_mentions') }}
    union all
    select case_date from {{ ref('fct_cases') }}
    union all
    select action_date from {{ ref('fct_mention_actions') }}
    union all
    select action_date from {{ ref('agg_agents_daily') }}
    union all
    select change_date from {{ ref('fct_account_changes') }}
    union all
    select event_date from {{ ref('fct_security_events') }}
    union all
    select answer_date from {{ ref('fct_satisfaction') }}
),

bounds as (
    select min(fact_date) as first_date, max(fact_date) as last_date
    from dated
),

-- Without facts the bounds are null, and a series between nulls has no element.
dates as (
    select cast(unnest(generate_series(first_date, last_date, interval 1 day)) as date) as calendar_date
    from bounds
)

select
    calendar_date,
    year(calendar_date) as year,
    quarter(calendar_date) as quarter,
    month(calendar_date) as month,
    isoyear(calendar_date) as iso_year,
    week(calendar_date) as iso_week,
    isodow(calendar_date) as day_of_week,
    isodow(calendar_date) >= 6 as is_weekend
from dates
