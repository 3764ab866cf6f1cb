{#-
    What agg_agents_daily and agg_teams_daily say alike. Work comes in relations with agent_id, the instant at which the
    agent had a part in it, and its date; a team's rows are these, once per team that the agent was in at that instant.
-#}

{#- Items of customers, by the first person who acted, replied or resolved: which of these is in `first`. -#}
{% macro firsts_of(first) -%}
    {%- set is_resolve = first == 'first_resolve' -%}
    {%- set reply = 'first_human_reply' if first == 'first_human_response' else first -%}
    {%- set measure = 'resolve' if is_resolve else first -%}
    {%- set acted_at = 'first_resolved_at' if is_resolve else reply ~ '_at' -%}
    {%- for object in ['mention', 'case'] %}
    select
        account_id,
        '{{ object }}' as object,
        {{ 'first_human_resolve_agent_id' if is_resolve else reply ~ '_agent_id' }} as agent_id,
        {{ acted_at }} as acted_at,
        {{ reporting_date(acted_at, 'day') }} as action_date,
        {{ measure }}_seconds as seconds,
        {{ measure }}_business_hours_seconds as business_hours_seconds,
        api_handle_time_seconds
    from {{ ref('fct_' ~ object ~ 's') }}
    {{ reporting_day('day', acted_at) }}
    where
        is_in_response_metrics
        and {{ acted_at }} is not null
        and {{ "first_resolve_actor_kind = 'human'" if is_resolve else reply ~ '_agent_id is not null' }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Whether a row's item is not among the few that are deleted. -#}
{% macro is_alive(rows) -%}
    not exists (
        select 1 from {{ ref('int_items') }} as items
        where
            items.deleted_at is not null
            and items.account_id = {{ rows }}.account_id
            and items.object = {{ rows }}.object
            and items.unique_id = {{ rows }}.unique_id
    )
{%- endmacro %}

{#- Resolves by people, on items that are alive, after which the item was reopened; dated when it was resolved. -#}
{% macro undone_resolves() -%}
    select
        intervals.account_id,
        intervals.object,
        intervals.started_by_agent_id as agent_id,
        intervals.started_at as acted_at,
        {{ reporting_date('intervals.started_at', 'day') }} as action_date
    from {{ ref('fct_status_intervals') }} as intervals
    {{ reporting_day('day', 'intervals.started_at') }}
    where
        intervals.status = 'done'
        and intervals.started_by_agent_id is not null
        and intervals.ended_at is not null
        and {{ is_alive('intervals') }}
{%- endmacro %}

{#- Assignments of items that are alive, to agents or teams, at their start or end. -#}
{% macro assignments_to(what, instant) -%}
    select
        assignments.account_id,
        assignments.object,
        assignments.assignee_id as {{ what }}_id,
        assignments.{{ instant }} as acted_at,
        {{ reporting_date('assignments.' ~ instant, 'day') }} as action_date,
        assignments.assignment_seconds,
        assignments.assignment_business_hours_seconds
    from {{ ref('fct_assignments') }} as assignments
    {{ reporting_day('day', 'assignments.' ~ instant) }}
    where
        assignments.assignee_type = '{{ what }}'
        and assignments.{{ instant }} is not null
        and {{ is_alive('assignments') }}
{%- endmacro %}

{#- How rows of int_agent_actions count. Likes stand apart, as they do in the product. -#}
{% macro action_sums() -%}
    {%- set sums = {'action_count': "count(*) filter (where action_kind <> 'like')"} -%}
    {%- for kind in ['reply', 'assign', 'status', 'tag', 'note', 'other', 'like'] -%}
        {%- do sums.update({kind ~ '_count': "count(*) filter (where action_kind = '" ~ kind ~ "')"}) -%}
    {%- endfor -%}
    {%- do sums.update({
        'own_item_action_count': "count(*) filter (where action_kind <> 'like' and is_own)",
        'in_business_hours_action_count': "count(*) filter (where action_kind <> 'like' and is_in_business_hours)",
        'out_of_business_hours_action_count': "count(*) filter (where action_kind <> 'like' and not is_in_business_hours)",
        'resolve_count': "count(*) filter (where is_resolve)",
        'reopening_count': "count(*) filter (where is_reopening)",
    }) -%}
    {{ return(sums) }}
{%- endmacro %}

{% macro first_sums(first) -%}
    {%- set measure = 'resolve' if first == 'first_resolve' else first -%}
    {%- set sums = {
        first ~ '_count': 'count(*)',
        measure ~ '_known_count': 'count(seconds)',
        measure ~ '_seconds_sum': 'sum(seconds)',
        measure ~ '_business_hours_known_count': 'count(business_hours_seconds)',
        measure ~ '_business_hours_seconds_sum': 'sum(business_hours_seconds)',
    } -%}
    {%- if first == 'first_resolve' -%}
        {%- do sums.update({
            'api_handle_time_known_count': 'count(api_handle_time_seconds)',
            'api_handle_time_seconds_sum': 'sum(api_handle_time_seconds)',
        }) -%}
    {%- endif -%}
    {{ return(sums) }}
{%- endmacro %}

{#-
    Different items or authors of actions, each once per row of the day: several times faster than as many
    `count(distinct ...) filter (...)` beside the sums.
-#}
{% macro different(what, whose, condition) -%}
    (
        select account_id, {{ whose }}, object, action_date, {{ what }}, bool_or(is_within_28_days) as is_within_28_days
        from actions
        where {{ condition }}
        group by account_id, {{ whose }}, object, action_date, {{ what }}
    )
{%- endmacro %}

{#-
    Sums by account, whose they are (agent_id or team_id), object and day, from the CTEs `actions`, `first_human_action`,
    `first_human_response`, `first_resolve`, `undone_resolves`, `received`, `ended` and any more in `parts`. Each part is a
    relation and its sums by name; a sum that a part does not have is 0 there.
-#}
{% macro sums_of_work(whose, parts=[]) -%}
    {%- set all_parts = [
        {'relation': 'actions', 'sums': action_sums()},
        {'relation': different('unique_id', whose, "action_kind <> 'like'"), 'sums': {
            'items_handled_count': 'count(*)',
            'items_handled_within_28_days_count': 'count(*) filter (where is_within_28_days)',
        }},
        {
            'relation': different('author_id', whose, "action_kind = 'reply' and not is_own and author_id is not null"),
            'sums': {'authors_serviced_count': 'count(*)'},
        },
        {'relation': 'undone_resolves', 'sums': {'undone_resolve_count': 'count(*)'}},
    ] -%}
    {%- for first in ['first_human_action', 'first_human_response', 'first_resolve'] -%}
        {%- do all_parts.append({'relation': first, 'sums': first_sums(first)}) -%}
    {%- endfor -%}
    {%- do all_parts.append({'relation': 'received', 'sums': {'assignments_received_count': 'count(*)'}}) -%}
    {%- do all_parts.append({'relation': 'ended', 'sums': {
        'assignments_ended_count': 'count(*)',
        'assignment_seconds_sum': 'sum(assignment_seconds)',
        'assignment_business_hours_known_count': 'count(assignment_business_hours_seconds)',
        'assignment_business_hours_seconds_sum': 'sum(assignment_business_hours_seconds)',
    }}) -%}
    {%- do all_parts.extend(parts) -%}
    {%- set names = [] -%}
    {%- for part in all_parts -%}{%- do names.extend(part.sums.keys()) -%}{%- endfor -%}
    select
        account_id,
        {{ whose }},
        object,
        action_date,
        '{{ var("reporting_time_zone") }}' as reporting_time_zone
        {%- for name in names %},
        cast(coalesce(sum({{ name }}), 0) as bigint) as {{ name }}
        {%- endfor %}
    from (
        {%- for part in all_parts %}
        select
            account_id,
            {{ whose }},
            object,
            action_date
            {%- for name, expression in part.sums.items() %},
            {{ expression }} as {{ name }}
            {%- endfor %}
        from {{ part.relation }}
        group by all
        {{- '\n        union all by name' if not loop.last }}
        {%- endfor %}
    )
    group by account_id, {{ whose }}, object, action_date
{%- endmacro %}
