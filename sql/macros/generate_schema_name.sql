{#- Schemas are named as the project says, without the usual prefix of dbt: one file is one environment. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
