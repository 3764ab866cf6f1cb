-- One row per account: how many there are of what, when the warehouse was built. A table: the views that reckon ages take
-- the instant of the build from it.
with agents as (
    select
        agents.account_id,
        count(*) filter (where agents.is_listed) as user_count,
        count(*) filter (where agents.last_action_at > as_of.as_of - interval 28 days) as active_agent_count
    from {{ ref('dim_agents') }} as agents
    cross join {{ ref('int_as_of') }} as as_of
    group by agents.account_id
),

{% set counts = {
    'count': 'is_in_response_metrics',
    'own_count': 'is_own and not is_deleted',
    'deleted_count': 'is_deleted',
    'new_count': "is_in_response_metrics and status = 'new'",
    'pending_count': "is_in_response_metrics and status = 'pending'",
    'done_count': "is_in_response_metrics and status = 'done'",
    'open_count': "is_in_response_metrics and status <> 'done'",
    'open_unassigned_count': "is_in_response_metrics and status <> 'done' and not is_owned",
    'open_unreplied_count': "is_in_response_metrics and status <> 'done' and not has_reply",
    'unreplied_count': 'is_in_response_metrics and not has_reply',
    'assigned_count': 'is_in_response_metrics and assignment_count > 0',
    'handed_over_count': 'is_in_response_metrics and handoff_count > 0',
    'reopened_count': 'is_in_response_metrics and reopening_count > 0',
} -%}
{%- for object in ['mention', 'case'] -%}
{{ object }}s as (
    select
        account_id,
        {%- for name, condition in counts.items() %}
        count(*) filter (where {{ condition }}) as {{ object }}_{{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('fct_' ~ object ~ 's') }}
    group by account_id
),

{% endfor -%}
recoveries as (
    select
        account_id,
        {%- for object in ['mention', 'case'] %}
        count(distinct unique_id) filter (where object = '{{ object }}' and restored_at is not null)
            as {{ object }}_recovered_count
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('stg_deletions') }}
    group by account_id
),

accounts as (
    select account_id from agents
    union
    select account_id from mentions
    union
    select account_id from cases
)

select
    accounts.account_id,
    as_of.as_of,
    coalesce(agents.user_count, 0) as user_count,
    coalesce(agents.active_agent_count, 0) as active_agent_count
    {%- for object in ['mention', 'case'] %}
    {%- for name in counts %},
    coalesce({{ object }}s.{{ object }}_{{ name }}, 0) as {{ object }}_{{ name }}
    {%- endfor %},
    coalesce(recoveries.{{ object }}_recovered_count, 0) as {{ object }}_recovered_count
    {%- endfor %}
from accounts
cross join {{ ref('int_as_of') }} as as_of
left join agents on accounts.account_id = agents.account_id
left join mentions on accounts.account_id = mentions.account_id
left join cases on accounts.account_id = cases.account_id
left join recoveries on accounts.account_id = recoveries.account_id
