{{ incremental_by_difference(['account_id', 'agent_id', 'object', 'action_date', 'reporting_time_zone']) }}
{% if not execute %}-- depends_on: {{ ref('int_replies_of_authors') }}{% endif %}
-- One row per account, agent, object and date on which the agent did something or had an item given or taken away.
{%- set firsts = ['first_human_action', 'first_human_response', 'first_resolve'] %}

with
{% for name, relation in weighted_agent_actions().items() -%}
{{ name }} as not materialized (
    select *, {{ action_kind() }} as action_kind
    from {{ relation }} as actions
    where {{ is_work('actions') }}
),

{% endfor -%}
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
