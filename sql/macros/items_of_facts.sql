{#-
    The items of fct_mentions and fct_cases together, for views of the marts: they are published without int_items.
-#}
{% macro items_of_facts() -%}
    {%- for object in ['mention', 'case'] %}
    select account_id, '{{ object }}' as object, unique_id, topic_id, is_own, deleted_at
    from {{ ref('fct_' ~ object ~ 's') }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
