{#- Where a status stands in the workflow; a status that nobody knows stands before all others. -#}
{% macro stage_of(status) -%}
    coalesce(list_position(['new', 'pending', 'done'], {{ status }}), 0)
{%- endmacro %}
