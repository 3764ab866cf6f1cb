{#-
    Makes the tables that models read and that no run has loaded yet, without rows, so that the models can be built: a
    first sync of some streams only, an account whose plan lacks a list. Columns and types are the contracts'; the
    loader takes such a table for its own.
-#}
{% macro make_missing_tables() %}
    {%- if execute -%}
        {%- set read = [] -%}
        {%- for model in graph.nodes.values() if model.resource_type == 'model' -%}
            {%- do read.extend(model.depends_on.nodes) -%}
        {%- endfor -%}
        {%- for unique_id in read | unique if unique_id in graph.sources -%}
            {%- set table = graph.sources[unique_id] %}
create schema if not exists {{ table.schema }};
create table if not exists {{ table.schema }}.{{ table.identifier }} (
            {%- for column in table.columns.values() %}
    "{{ column.name }}" {{ column.data_type }}{{ "," if not loop.last }}
            {%- endfor %}
);
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
