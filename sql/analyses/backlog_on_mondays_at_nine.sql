-- How many mentions and cases are open each Monday at 09:00, and how many of them does no agent have?
with mondays as (
    select
        account_id,
        unnest(generate_series(
            date_trunc('week', timezone('{{ var("reporting_time_zone") }}', min(item_at))),
            timezone('{{ var("reporting_time_zone") }}', max(as_of)) - interval 9 hours, -- this Monday only once it is nine
            interval 7 days
        )) + interval 9 hours as local_at
    from (
        select facts.account_id, facts.mention_at as item_at, summary.as_of
        from {{ ref('fct_mentions') }} as facts
        inner join {{ ref('agg_account_summary') }} as summary on facts.account_id = summary.account_id
    )
    group by account_id
),

moments as (
    select account_id, local_at, {{ first_instant_of('local_at', "'" ~ var('reporting_time_zone') ~ "'") }} as moment
    from mondays
),

items as (
    {{ items_of_facts() }}
),

agents as (
    select account_id, object, unique_id, started_at, ended_at
    from {{ ref('fct_assignments') }}
    where assignee_type = 'agent'
)

select
    moments.account_id,
    moments.local_at,
    intervals.object,
    intervals.status,
    count(distinct intervals.unique_id) as open_count,
    count(distinct intervals.unique_id) - count(distinct agents.unique_id) as unassigned_count
from moments
inner join {{ ref('fct_status_intervals') }} as intervals on moments.account_id = intervals.account_id
inner join items
    on intervals.account_id = items.account_id
    and intervals.object = items.object
    and intervals.unique_id = items.unique_id
left join agents
    on intervals.account_id = agents.account_id
    and intervals.object = agents.object
    and intervals.unique_id = agents.unique_id
    and moments.moment >= agents.started_at
    and coalesce(moments.moment < agents.ended_at, true)
where {{ is_open_at('intervals', 'items', 'moments.moment') }}
group by moments.account_id, moments.local_at, intervals.object, intervals.status
order by moments.account_id, moments.local_at, intervals.object, intervals.status
