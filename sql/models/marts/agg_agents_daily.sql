-- One row per account, agent, object and date on which the agent did something or had an item given or taken away.
{%- set firsts = ['first_human_action', 'first_human_response', 'first_resolve'] %}

with actions as not materialized (
    select * from {{ ref('int_agent_actions') }}
),

{% for first in firsts -%}
{{ first }} as (
    {{- firsts_of(first) }}
),

{% endfor -%}
undone_resolves as (
    {{ undone_resolves() }}
),

received as (
    {{ assignments_to('agent', 'started_at') }}
),

ended as (
    {{ assignments_to('agent', 'ended_at') }}
)

{{ sums_of_work('agent_id') }}
