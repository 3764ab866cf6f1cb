{#- A dimension's key for rows that lack it: facts then always join, and the rows stay countable. -#}
{% macro or_unknown(column) -%}
    coalesce({{ column }}, 'unknown')
{%- endmacro %}
