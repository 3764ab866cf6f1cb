{{ config(materialized='view') }}
-- One row per item of a customer that the API says is not resolved: how old it is, who has it, who waits.
with items as (
    {%- for object in ['mention', 'case'] %}
    select
        account_id,
        '{{ object }}' as object,
        unique_id,
        topic_id,
        channel,
        status,
        priority_name,
        sentiment,
        language,
        permalink,
        {{ object }}_at as item_at,
        last_action_at,
        status_since_at,
        has_reply,
        reopening_count,
        is_owned,
        is_status_contradicted
    from {{ ref('fct_' ~ object ~ 's') }}
    where is_in_response_metrics and status <> 'done'
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

-- Whoever has had the last of what is done is looked for in vain, and that is nearly everything.
holders as (
    select
        assignments.account_id,
        assignments.object,
        assignments.unique_id,
        list_sort(list(assignments.assignee_id) filter (where assignments.assignee_type = 'agent')) as agent_ids,
        string_agg(coalesce(agents.agent_name, assignments.assignee_id), ', ' order by assignments.assignee_id)
            filter (where assignments.assignee_type = 'agent') as agent_names,
        string_agg(coalesce(teams.team_name, assignments.assignee_id), ', ' order by assignments.assignee_id)
            filter (where assignments.assignee_type = 'team') as team_names,
        max(assignments.started_at) filter (where assignments.assignee_type = 'agent') as owned_since_at
    from {{ ref('fct_assignments') }} as assignments
    semi join items
        on assignments.account_id = items.account_id
        and assignments.object = items.object
        and assignments.unique_id = items.unique_id
    left join {{ ref('dim_agents') }} as agents
        on assignments.account_id = agents.account_id
        and assignments.assignee_id = agents.agent_id
    left join {{ ref('dim_teams') }} as teams
        on assignments.account_id = teams.account_id
        and assignments.assignee_id = teams.team_id
    where assignments.is_current
    group by assignments.account_id, assignments.object, assignments.unique_id
),

waits as (
    select account_id, object, unique_id, max(started_at) as waiting_since_at
    from {{ ref('fct_replies') }}
    where end_reason = 'waiting'
    group by account_id, object, unique_id
)

select
    items.account_id,
    items.object,
    items.unique_id,
    items.topic_id,
    topics.topic_name,
    items.channel,
    items.status,
    items.priority_name,
    items.sentiment,
    items.language,
    items.permalink,
    items.item_at,
    items.last_action_at,
    items.status_since_at,
    waits.waiting_since_at,
    holders.owned_since_at,
    as_of.as_of,
    {{ seconds_between('items.item_at', 'as_of.as_of') }} as age_seconds,
    {{ seconds_between('items.last_action_at', 'as_of.as_of') }} as since_last_action_seconds,
    {{ seconds_between('items.status_since_at', 'as_of.as_of') }} as in_status_seconds,
    {{ seconds_between('waits.waiting_since_at', 'as_of.as_of') }} as waiting_seconds,
    age_seconds / 3600 as age_hours,
    waiting_seconds / 3600 as waiting_hours,
    holders.agent_ids,
    holders.agent_names,
    holders.team_names,
    items.is_owned,
    items.has_reply,
    items.reopening_count,
    items.is_status_contradicted
from items
inner join {{ ref('agg_account_summary') }} as as_of on items.account_id = as_of.account_id
left join holders
    on items.account_id = holders.account_id
    and items.object = holders.object
    and items.unique_id = holders.unique_id
left join waits
    on items.account_id = waits.account_id
    and items.object = waits.object
    and items.unique_id = waits.unique_id
left join {{ ref('dim_topics') }} as topics
    on items.account_id = topics.account_id
    and items.topic_id = topics.topic_id
