{#-
    What fct_mentions and fct_cases say alike. A model has three CTEs: its items (stg_mentions or stg_cases with item_at,
    is_own and is_deleted), `states` and `ownership` (from the first two macros); the others select from their join.
-#}

{#- Per item: sums over its stretches of status that have ended, and what the last one is. -#}
{% macro item_states(object) -%}
    select
        account_id,
        unique_id,
        {% for status, measure in [('new', 'unresolved'), ('pending', 'pending')] -%}
        coalesce(cast(sum(interval_seconds) filter (where status = '{{ status }}') as bigint), 0) as {{ measure }}_seconds,
        case
            when count(*) filter (where status = '{{ status }}' and not is_current and interval_business_hours_seconds is null) = 0
                then coalesce(cast(sum(interval_business_hours_seconds) filter (where status = '{{ status }}') as bigint), 0)
        end as {{ measure }}_business_hours_seconds,
        {% endfor -%}
        count(*) - 1 as status_change_count,
        max(started_at) filter (where is_current) as status_since_at,
        bool_or(is_contradicted) as is_status_contradicted
    from {{ of_touched(ref('fct_status_intervals')) }}
    where object = '{{ object }}'
    group by account_id, unique_id
{%- endmacro %}

{#- Per item: seconds in which it waited for an agent to have it, and in which one had it, before and between resolves. -#}
{% macro item_ownership(object) -%}
    select
        account_id,
        unique_id,
        coalesce(cast(sum(interval_seconds) filter (where status <> 'done' and not is_owned) as bigint), 0) as queue_seconds,
        coalesce(cast(sum(interval_seconds) filter (where status <> 'done' and is_owned) as bigint), 0) as owned_seconds,
        arg_max(is_owned, interval_number) as is_owned
    from {{ of_touched(ref('int_state_intervals')) }}
    where object = '{{ object }}'
    group by account_id, unique_id
{%- endmacro %}

{#- The measures, in the order in which fct_mentions and fct_cases have them. -#}
{% macro item_measures(items, object) -%}
    {{ items }}.published_at,
    {{ items }}.added_at,
    {{ items }}.item_at as {{ object }}_at,
    {{ reporting_date(items ~ '.item_at', 'day') }} as {{ object }}_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    events.first_action_at,
    events.first_human_action_at,
    events.first_reply_at,
    events.first_human_reply_at,
    events.first_assigned_at,
    events.last_assigned_at,
    events.first_resolved_at,
    events.last_resolved_at,
    events.last_action_at,
    states.status_since_at,
    {{ items }}.deleted_at,
    events.first_human_action_agent_id,
    events.first_reply_actor_kind,
    events.first_human_reply_agent_id,
    events.first_resolve_actor_kind,
    events.last_resolve_actor_kind,
    events.first_human_resolve_agent_id,
    events.last_human_resolve_agent_id,
    {{ seconds_between(items ~ '.published_at', 'events.first_action_at') }} as first_action_seconds,
    {{ seconds_between(items ~ '.published_at', 'events.first_human_action_at') }} as first_human_action_seconds,
    {{ seconds_between(items ~ '.published_at', 'events.first_reply_at') }} as first_response_seconds,
    {{ seconds_between(items ~ '.published_at', 'events.first_human_reply_at') }} as first_human_response_seconds,
    {{ seconds_between(items ~ '.published_at', 'events.first_assigned_at') }} as first_assignment_seconds,
    {{ seconds_between(items ~ '.published_at', 'events.first_resolved_at') }} as resolve_seconds,
    {{ seconds_between(items ~ '.published_at', 'events.last_resolved_at') }} as last_resolve_seconds,
    {{ seconds_between('events.first_assigned_at', 'events.first_resolved_at') }} as assignment_to_resolve_seconds,
    coalesce(states.unresolved_seconds, 0) as unresolved_seconds,
    coalesce(states.pending_seconds, 0) as pending_seconds,
    coalesce(ownership.queue_seconds, 0) as queue_seconds,
    coalesce(ownership.owned_seconds, 0) as owned_seconds,
    hours.first_action_business_hours_seconds,
    hours.first_human_action_business_hours_seconds,
    hours.first_response_business_hours_seconds,
    hours.first_human_response_business_hours_seconds,
    hours.first_assignment_business_hours_seconds,
    hours.first_resolve_business_hours_seconds as resolve_business_hours_seconds,
    hours.last_resolve_business_hours_seconds,
    states.unresolved_business_hours_seconds,
    states.pending_business_hours_seconds,
    hours.queue_business_hours_seconds,
    hours.owned_business_hours_seconds,
    {{ items }}.response_time_seconds as api_response_time_seconds,
    {{ items }}.response_time_business_hours_seconds as api_response_time_business_hours_seconds,
    {{ items }}.resolve_time_seconds as api_resolve_time_seconds,
    {{ items }}.resolve_time_business_hours_seconds as api_resolve_time_business_hours_seconds,
    {{ items }}.handle_time_seconds as api_handle_time_seconds,
    {{ items }}.unresolved_time_seconds as api_unresolved_time_seconds,
    {{ items }}.unresolved_time_business_hours_seconds as api_unresolved_time_business_hours_seconds,
    {{ items }}.pending_time_seconds as api_pending_time_seconds,
    coalesce(events.action_count, 0) as action_count,
    coalesce(events.reply_count, 0) as reply_count,
    coalesce(events.human_reply_count, 0) as human_reply_count,
    coalesce(events.note_count, 0) as note_count,
    coalesce(events.resolve_count, 0) as resolve_count,
    coalesce(events.reopening_count, 0) as reopening_count,
    coalesce(events.assignment_count, 0) as assignment_count,
    coalesce(events.handoff_count, 0) as handoff_count,
    coalesce(events.assigned_agents_count, 0) as assigned_agents_count,
    coalesce(events.agents_touched_count, 0) as agents_touched_count,
    coalesce(states.status_change_count, 0) as status_change_count,
    case least(coalesce(events.human_reply_count, 0), 3)
        when 0 then 'zero' when 1 then 'one' when 2 then 'two' else 'more'
    end as touch_class
{%- endmacro %}

{% macro item_flags(items) -%}
    {{ items }}.is_own,
    {{ items }}.is_deleted,
    coalesce(events.reply_count > 0, false) as has_reply,
    coalesce(events.resolve_count > 0, false) as has_resolve,
    coalesce(events.first_action_at < {{ items }}.published_at, false) as is_negative_interval,
    coalesce(
        {{ items }}.status = 'done' and events.resolve_count > 0 and events.reopening_count = 0
        and events.human_reply_count <= 1,
        false
    ) as is_resolved_at_first_contact,
    coalesce(ownership.is_owned, false) as is_owned,
    coalesce(states.is_status_contradicted, false) as is_status_contradicted,
    not {{ items }}.is_own and not {{ items }}.is_deleted as is_in_response_metrics
{%- endmacro %}

{#- What a model of items joins for the measures: `items` names the relation, `object` what its rows are. -#}
{% macro join_item_measures(items, object) -%}
left join {{ of_touched(ref('int_item_events')) }} as events
    on {{ items }}.account_id = events.account_id
    and {{ items }}.unique_id = events.unique_id
    and events.object = '{{ object }}'
left join {{ of_touched(ref('int_item_business_hours')) }} as hours
    on {{ items }}.account_id = hours.account_id
    and {{ items }}.unique_id = hours.unique_id
    and hours.object = '{{ object }}'
left join states
    on {{ items }}.account_id = states.account_id
    and {{ items }}.unique_id = states.unique_id
left join ownership
    on {{ items }}.account_id = ownership.account_id
    and {{ items }}.unique_id = ownership.unique_id
{{ reporting_day('day', items ~ '.item_at') }}
{%- endmacro %}
