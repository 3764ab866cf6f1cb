-- How many mentions came in on each of the last 28 days, and of which kinds?
-- A day without any has a row of zeros. The day of the build is not over, so do not compare it with the others.
with days as (
    select
        account_id,
        cast(unnest(generate_series(
            {{ reporting_date('as_of') }} - 27, {{ reporting_date('as_of') }}, interval 1 day
        )) as date) as mention_date,
        {{ reporting_date('as_of') }} as build_date
    from {{ ref('agg_account_summary') }}
)

select
    days.account_id,
    days.mention_date,
    days.mention_date < days.build_date as is_over,
    count(facts.unique_id) filter (where facts.is_in_response_metrics) as customer_count,
    count(facts.unique_id) filter (where facts.is_in_response_metrics and facts.message_type = 'privatemessage') as private_count,
    count(facts.unique_id) filter (where facts.is_in_response_metrics and facts.is_stripped) as stripped_count,
    count(facts.unique_id) filter (where facts.is_own and not facts.is_deleted) as own_count,
    count(facts.unique_id) filter (where facts.is_deleted) as deleted_count
from days
left join {{ ref('fct_mentions') }} as facts
    on days.account_id = facts.account_id
    and days.mention_date = facts.mention_date
group by days.account_id, days.mention_date, days.build_date
order by days.account_id, days.mention_date
