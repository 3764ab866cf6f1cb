{#- The schedules that the user's file assigns to a kind of thing. -#}
{% macro assigned_hours(scope) -%}
    (select * from {{ ref('business_hours_assignments') }} where scope = '{{ scope }}')
{%- endmacro %}

{#- The items of whose topic the file says in which hours they are measured: none where it says nothing. -#}
{% macro hours_of_topics() -%}
    (
        select items.account_id, items.object, items.unique_id, hours.schedule_id
        from {{ ref('int_items') }} as items
        inner join {{ assigned_hours('topic') }} as hours
            on items.account_id = hours.account_id
            and items.topic_id = hours.scope_id
    )
{%- endmacro %}
