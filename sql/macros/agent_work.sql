{#-
    What agg_agents_daily and agg_teams_daily say alike. Both have the CTEs `actions` (int_agent_actions) and
    `assignments` (assignments_to_agents), each row with whose it is; the team's rows come once per team of the agent.
-#}

{#- How an action counts, by the name of the sum. Likes stand apart, as they do in the product. -#}
{% macro action_sums() -%}
    {%- set sums = {'action_count': "count(*) filter (where action_kind <> 'like')"} -%}
    {%- for kind in ['reply', 'assign', 'status', 'tag', 'note', 'other', 'like'] -%}
        {%- do sums.update({kind ~ '_count': "count(*) filter (where action_kind = '" ~ kind ~ "')"}) -%}
    {%- endfor -%}
    {%- do sums.update({
        'own_item_action_count': "count(*) filter (where action_kind <> 'like' and is_own)",
        'in_business_hours_action_count': "count(*) filter (where action_kind <> 'like' and is_in_business_hours)",
        'out_of_business_hours_action_count': "count(*) filter (where action_kind <> 'like' and not is_in_business_hours)",
        'items_handled_count': "count(distinct unique_id) filter (where action_kind <> 'like')",
        'items_handled_within_28_days_count':
            "count(distinct unique_id) filter (where action_kind <> 'like' and is_within_28_days)",
        'authors_serviced_count': "count(distinct author_id) filter (where action_kind = 'reply' and not is_own)",
        'resolve_count': "count(*) filter (where is_resolve)",
        'undone_resolve_count': "count(*) filter (where is_undone_resolve)",
        'reopening_count': "count(*) filter (where is_reopening)",
    }) -%}
    {%- for measure, first in {
        'first_human_action': 'first_human_action', 'first_human_response': 'first_human_response', 'resolve': 'first_resolve'
    }.items() -%}
        {%- do sums.update({first ~ '_count': "count(*) filter (where is_" ~ first ~ ")"}) -%}
        {%- for clock in ['', '_business_hours'] -%}
            {%- set seconds = 'since_publication' ~ clock ~ '_seconds' -%}
            {%- do sums.update({
                measure ~ clock ~ '_known_count': "count(" ~ seconds ~ ") filter (where is_" ~ first ~ ")",
                measure ~ clock ~ '_seconds_sum': "sum(" ~ seconds ~ ") filter (where is_" ~ first ~ ")",
            }) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do sums.update({
        'api_handle_time_known_count': "count(api_handle_time_seconds)",
        'api_handle_time_seconds_sum': "sum(api_handle_time_seconds)",
    }) -%}
    {{ return(sums) }}
{%- endmacro %}

{#- How an assignment counts, on the day on which it begins and on the day on which it ends. -#}
{% macro received_sums() -%}
    {{ return({'assignments_received_count': 'count(*)'}) }}
{%- endmacro %}

{% macro ended_sums() -%}
    {{ return({
        'assignments_ended_count': 'count(*)',
        'assignment_seconds_sum': 'sum(assignment_seconds)',
        'assignment_business_hours_known_count': 'count(assignment_business_hours_seconds)',
        'assignment_business_hours_seconds_sum': 'sum(assignment_business_hours_seconds)',
    }) }}
{%- endmacro %}

{#- Assignments of items that are alive; `what` is agent or team. -#}
{% macro assignments_to(what) -%}
    select
        assignments.account_id,
        assignments.object,
        assignments.unique_id,
        assignments.assignee_id as {{ what }}_id,
        assignments.started_at,
        assignments.ended_at,
        assignments.assignment_seconds,
        assignments.assignment_business_hours_seconds
    from {{ ref('fct_assignments') }} as assignments
    inner join {{ ref('int_items') }} as items
        on assignments.account_id = items.account_id
        and assignments.object = items.object
        and assignments.unique_id = items.unique_id
    where assignments.assignee_type = '{{ what }}' and items.deleted_at is null
{%- endmacro %}

{#-
    Sums of parts by account, whose they are, object and day. Each part is a relation, its column with the instant or
    day, and its sums by name; a sum that a part does not have is 0 there.
-#}
{% macro sums_by_day(whose, parts) -%}
    {%- set names = [] -%}
    {%- for part in parts -%}{%- do names.extend(part.sums.keys()) -%}{%- endfor -%}
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
        {%- for part in parts %}
        select
            account_id,
            {{ whose }},
            object,
            {{ part.day }} as action_date
            {%- for name, expression in part.sums.items() %},
            {{ expression }} as {{ name }}
            {%- endfor %}
        from {{ part.relation }}
        where {{ part.day }} is not null
        group by all
        {{- '\n        union all by name' if not loop.last }}
        {%- endfor %}
    )
    group by account_id, {{ whose }}, object, action_date
{%- endmacro %}
