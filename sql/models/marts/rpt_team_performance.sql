{{ config(materialized='view') }}
-- One row per account, level, agent or team, object and date.
{%- set sums = [
    'action_count', 'reply_count', 'assign_count', 'status_count', 'tag_count', 'note_count', 'other_count', 'like_count',
    'in_business_hours_action_count', 'out_of_business_hours_action_count',
    'items_handled_count', 'items_handled_within_28_days_count', 'authors_serviced_count',
    'resolve_count', 'undone_resolve_count', 'first_human_action_count', 'first_human_response_count',
    'first_resolve_count', 'assignments_received_count', 'assignments_ended_count',
] %}
{%- set means = [
    'first_human_action', 'first_human_action_business_hours',
    'first_human_response', 'first_human_response_business_hours',
    'resolve', 'resolve_business_hours', 'api_handle_time',
] %}

with days as (
    {%- for who, other in [('agent', 'team'), ('team', 'agent')] %}
    select
        account_id,
        '{{ who }}' as level,
        {{ who }}_id,
        'all' as {{ other }}_id,
        object,
        action_date,
        reporting_time_zone,
        {%- for name in sums %}
        {{ name }},
        {%- endfor %}
        {%- for measure in means %}
        {{ measure }}_known_count,
        {{ measure }}_seconds_sum,
        {%- endfor %}
        assignment_seconds_sum
    from {{ ref('agg_' ~ who ~ 's_daily') }}
    {{- '\n    union all by name' if not loop.last }}
    {%- endfor %}
)

select
    days.account_id,
    days.level,
    days.agent_id,
    case when days.agent_id = 'all' then 'All agents' else agents.agent_name end as agent_name,
    days.team_id,
    case days.team_id when 'all' then 'All teams' when 'unknown' then 'No team' else teams.team_name end as team_name,
    teams.is_shown_in_team_performance,
    days.object,
    days.action_date,
    days.reporting_time_zone,
    {%- for name in sums %}
    days.{{ name }},
    {%- endfor %}
    days.undone_resolve_count / nullif(days.resolve_count, 0) as undone_resolve_share,
    days.in_business_hours_action_count
    / nullif(days.in_business_hours_action_count + days.out_of_business_hours_action_count, 0) as in_business_hours_share,
    {%- for measure in means %}
    days.{{ measure }}_known_count,
    days.{{ measure }}_seconds_sum / nullif(days.{{ measure }}_known_count, 0) as {{ measure }}_mean_seconds,
    {%- endfor %}
    days.api_handle_time_seconds_sum,
    days.assignment_seconds_sum / nullif(days.assignments_ended_count, 0) as assignment_mean_seconds
from days
left join {{ ref('dim_agents') }} as agents
    on days.account_id = agents.account_id
    and days.agent_id = agents.agent_id
left join {{ ref('dim_teams') }} as teams
    on days.account_id = teams.account_id
    and days.team_id = teams.team_id
