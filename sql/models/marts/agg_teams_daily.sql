{{ incremental_by_difference(['account_id', 'team_id', 'object', 'action_date', 'reporting_time_zone']) }}
{% if not execute %}-- depends_on: {{ ref('int_replies_of_authors') }}{% endif %}
-- One row per account, team, object and date on which one of its members did something or had an item given or taken
-- away, or the team itself had. Team unknown: who acted was in no team.
{%- set work = {
    'first_human_action': firsts_of('first_human_action'),
    'first_human_response': firsts_of('first_human_response'),
    'first_resolve': firsts_of('first_resolve'),
    'undone_resolves': undone_resolves(),
    'received': assignments_to('agent', 'started_at'),
    'ended': assignments_to('agent', 'ended_at'),
} %}

with memberships as (
    {{ team_memberships() }}
),

{% for name, relation in weighted_agent_actions().items() -%}
{{ name }} as (
    select
        actions.weight,
        {{ or_unknown('memberships.team_id') }} as team_id,
        actions.account_id,
        actions.object,
        actions.unique_id,
        actions.action_date,
        {{ action_kind() }} as action_kind,
        actions.author_id,
        actions.is_own,
        actions.is_resolve,
        actions.is_reopening,
        actions.is_within_28_days,
        actions.is_in_business_hours
    from {{ relation }} as actions
    left join memberships
        on actions.account_id = memberships.account_id
        and actions.agent_id = memberships.agent_id
        and actions.action_at >= memberships.valid_from
        and actions.action_at < memberships.valid_to
    where {{ is_work('actions') }}
),

{% endfor -%}
{% for name, rows in work.items() -%}
{{ name }} as (
    select work.*, {{ or_unknown('memberships.team_id') }} as team_id
    from (
        {{- rows }}
    ) as work
    left join memberships
        on work.account_id = memberships.account_id
        and work.agent_id = memberships.agent_id
        and work.acted_at >= memberships.valid_from
        and work.acted_at < memberships.valid_to
),

{% endfor -%}
received_by_teams as (
    {{ assignments_to('team', 'started_at') }}
),

ended_by_teams as (
    {{ assignments_to('team', 'ended_at') }}
)

{{ sums_of_work('team_id', [
    {'relation': 'received_by_teams', 'sums': {
        'team_assignments_received_count': counted(),
    }},
    {'relation': 'ended_by_teams', 'sums': {
        'team_assignments_ended_count': counted(),
        'team_assignment_seconds_sum': summed('assignment_seconds'),
    }},
]) }}
