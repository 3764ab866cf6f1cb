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
        weight,
        account_id,
        '{{ object }}' as object,
        {{ 'first_human_resolve_agent_id' if is_resolve else reply ~ '_agent_id' }} as agent_id,
        {{ acted_at }} as acted_at,
        {{ reporting_date(acted_at, 'day') }} as action_date,
        {{ measure }}_seconds as seconds,
        {{ measure }}_business_hours_seconds as business_hours_seconds,
        api_handle_time_seconds
    from {{ weighted(ref('fct_' ~ object ~ 's')) }}
    {{ reporting_day('day', acted_at) }}
    where
        is_in_response_metrics
        and {{ acted_at }} is not null
        and {{ "first_resolve_actor_kind = 'human'" if is_resolve else reply ~ '_agent_id is not null' }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Resolves by people, on items that are alive, after which the item was reopened; dated when it was resolved. -#}
{% macro undone_resolves() -%}
    select
        intervals.weight,
        intervals.account_id,
        intervals.object,
        intervals.started_by_agent_id as agent_id,
        intervals.started_at as acted_at,
        {{ reporting_date('intervals.started_at', 'day') }} as action_date
    from {{ weighted(ref('fct_status_intervals')) }} as intervals
    {{ reporting_day('day', 'intervals.started_at') }}
    where
        intervals.status = 'done'
        and intervals.started_by_agent_id is not null
        and intervals.ended_at is not null
        and not intervals.is_deleted
{%- endmacro %}

{#- Assignments of items that are alive, to agents or teams, at their start or end. -#}
{% macro assignments_to(what, instant) -%}
    select
        assignments.weight,
        assignments.account_id,
        assignments.object,
        assignments.assignee_id as {{ what }}_id,
        assignments.{{ instant }} as acted_at,
        {{ reporting_date('assignments.' ~ instant, 'day') }} as action_date,
        assignments.assignment_seconds,
        assignments.assignment_business_hours_seconds
    from {{ weighted(ref('fct_assignments')) }} as assignments
    {{ reporting_day('day', 'assignments.' ~ instant) }}
    where
        assignments.assignee_type = '{{ what }}'
        and assignments.{{ instant }} is not null
        and not assignments.is_deleted
{%- endmacro %}

{#- How actions count. Likes stand apart, as they do in the product. -#}
{% macro action_sums() -%}
    {%- set sums = {'action_count': counted("action_kind <> 'like'")} -%}
    {%- for kind in ['reply', 'assign', 'status', 'tag', 'note', 'other', 'like'] -%}
        {%- do sums.update({kind ~ '_count': counted("action_kind = '" ~ kind ~ "'")}) -%}
    {%- endfor -%}
    {%- do sums.update({
        'own_item_action_count': counted("action_kind <> 'like' and is_own"),
        'in_business_hours_action_count': counted("action_kind <> 'like' and is_in_business_hours"),
        'out_of_business_hours_action_count': counted("action_kind <> 'like' and not is_in_business_hours"),
        'resolve_count': counted('is_resolve'),
        'reopening_count': counted('is_reopening'),
    }) -%}
    {{ return(sums) }}
{%- endmacro %}

{% macro first_sums(first) -%}
    {%- set measure = 'resolve' if first == 'first_resolve' else first -%}
    {%- set sums = {
        first ~ '_count': counted(),
        measure ~ '_known_count': counted('seconds is not null'),
        measure ~ '_seconds_sum': summed('seconds'),
        measure ~ '_business_hours_known_count': counted('business_hours_seconds is not null'),
        measure ~ '_business_hours_seconds_sum': summed('business_hours_seconds'),
    } -%}
    {%- if first == 'first_resolve' -%}
        {%- do sums.update({
            'api_handle_time_known_count': counted('api_handle_time_seconds is not null'),
            'api_handle_time_seconds_sum': summed('api_handle_time_seconds'),
        }) -%}
    {%- endif -%}
    {{ return(sums) }}
{%- endmacro %}

{#-
    Different items or authors of actions, each once per row of the day: several times faster than as many
    `count(distinct ...) filter (...)` beside the sums. A weight of 1 or -1 says that there is one now that was not there
    before, or the other way round.
-#}
{% macro different(what, whose, relation, condition) -%}
    (
        select
            account_id,
            {{ whose }},
            object,
            action_date,
            {{ what }},
            {{ present_now_not_before() }} as weight,
            {{ present_now_not_before('is_within_28_days') }} as weight_within_28_days
        from {{ relation }}
        where {{ condition }}
        group by account_id, {{ whose }}, object, action_date, {{ what }}
    )
{%- endmacro %}

{% macro present_now_not_before(condition='true') -%}
    cast(coalesce(bool_or(weight >= 0 and {{ condition }}), false) as integer)
    - cast(coalesce(bool_or(weight <= 0 and {{ condition }}), false) as integer)
{%- endmacro %}

{#- Whether an action is somebody's work: a person's, on an item that is not deleted, at a time that can be read. -#}
{% macro is_work(actions) -%}
    {{ actions }}.agent_id is not null and {{ actions }}.action_at is not null and not {{ actions }}.is_deleted
{%- endmacro %}

{#-
    The actions that agg_agents_daily and agg_teams_daily count, by the CTE that they go into. One author may have several
    items: beside the actions on touched items, the replies to others of the same authors are needed, which were there
    before and are there now (a weight of 0).
-#}
{% macro weighted_agent_actions() -%}
    {%- set relations = {'actions': weighted(ref('int_actions'))} -%}
    {%- if is_by_difference() -%}
        {%- do relations.update({'replies_to_others': '(select 0 as weight, * from ' ~ ref('int_replies_of_authors') ~ ')'}) -%}
    {%- endif -%}
    {{ return(relations) }}
{%- endmacro %}

{#- Kinds of actions that are counted apart; all others are `other`. -#}
{% macro action_kind() -%}
    case when action_type in ('reply', 'assign', 'status', 'tag', 'note', 'like') then action_type else 'other' end
{%- endmacro %}

{#-
    Sums by account, whose they are (agent_id or team_id), object and day, from the CTEs `actions`, `first_human_action`,
    `first_human_response`, `first_resolve`, `undone_resolves`, `received`, `ended` and any more in `parts`. Each part is a
    relation and its sums by name; a sum that a part does not have is 0 there.
-#}
{% macro sums_of_work(whose, parts=[]) -%}
    {%- set replies = '(from actions union all by name from replies_to_others)' if is_by_difference() else 'actions' -%}
    {%- set all_parts = [
        {'relation': 'actions', 'sums': action_sums()},
        {'relation': different('unique_id', whose, 'actions', "action_kind <> 'like'"), 'sums': {
            'items_handled_count': counted(),
            'items_handled_within_28_days_count': 'cast(sum(weight_within_28_days) as bigint)',
        }},
        {
            'relation': different('author_id', whose, replies, "action_kind = 'reply' and not is_own and author_id is not null"),
            'sums': {'authors_serviced_count': counted()},
        },
        {'relation': 'undone_resolves', 'sums': {'undone_resolve_count': counted()}},
    ] -%}
    {%- for first in ['first_human_action', 'first_human_response', 'first_resolve'] -%}
        {%- do all_parts.append({'relation': first, 'sums': first_sums(first)}) -%}
    {%- endfor -%}
    {%- do all_parts.append({'relation': 'received', 'sums': {'assignments_received_count': counted()}}) -%}
    {%- do all_parts.append({'relation': 'ended', 'sums': {
        'assignments_ended_count': counted(),
        'assignment_seconds_sum': summed('assignment_seconds'),
        'assignment_business_hours_known_count': counted('assignment_business_hours_seconds is not null'),
        'assignment_business_hours_seconds_sum': summed('assignment_business_hours_seconds'),
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
