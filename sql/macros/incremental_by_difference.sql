{#-
    Daily sums. In an incremental build, what touched items gave before is taken away, and what they give now is added: a
    model's rows are then differences, from rows of items with a weight of 1 (there now) or -1 (there before). So each
    column is a key, or a count or sum that adds up over items; a row whose counts and sums are all 0 is none.
-#}

{#- The configuration of such a model. `keys` are what its rows are one of each. -#}
{% macro incremental_by_difference(keys) -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='by_difference',
        on_schema_change='fail',
        meta={'keys': keys},
    ) }}
{%- endmacro %}

{#-
    Whether the model's rows are differences: else they are all there are. They are when what it is made of is changed in
    this run too; a run may be of some models only.
-#}
{% macro is_by_difference() -%}
    {#- `this` is none in a unit test. -#}
    {%- if this is none or not is_incremental() -%}{{ return(false) }}{%- endif -%}
    {%- for unique_id in model.depends_on.nodes if unique_id in graph.nodes -%}
        {%- set node = graph.nodes[unique_id] -%}
        {%- if node.config.get('incremental_strategy') == 'by_item' and not is_changed_in_this_run(node.name) -%}
            {{ return(false) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(true) }}
{%- endmacro %}

{#- What a daily sum reads in place of a relation whose rows belong to items. Rows of two are joined on their weight too. -#}
{% macro weighted(relation) -%}
    {%- set unique_id = 'model.' ~ project_name ~ '.' ~ relation.identifier -%}
    {#- `graph` is empty while the project is read, and a unit test's input is no node. -#}
    {%- set columns = graph.nodes[unique_id].config.meta.summed if unique_id in (graph.nodes or {}) else ['*'] -%}
    {%- if is_by_difference() -%}
        (select weight, {{ columns | join(', ') }} from {{ changes_of(relation.identifier) }})
    {%- else -%}
        (select 1 as weight, {{ columns | join(', ') }} from {{ relation }})
    {%- endif -%}
{%- endmacro %}

{#- How many rows: those that meet a condition, where one is given. -#}
{% macro counted(condition='true') -%}
    {%- if is_by_difference() -%}
        cast(coalesce(sum(weight) filter (where {{ condition }}), 0) as bigint)
    {%- else -%}
        count(*) filter (where {{ condition }})
    {%- endif -%}
{%- endmacro %}

{#- The sum of a column, of rows that meet a condition. -#}
{% macro summed(column, condition='true') -%}
    cast(coalesce(sum({{ 'weight * ' if is_by_difference() }}{{ column }}) filter (where {{ condition }}), 0) as bigint)
{%- endmacro %}

{#- Statements that add the differences to the rows that are there. -#}
{% macro change_by_difference(target) -%}
    {%- set keys = model.config.meta['keys'] -%}
    {%- set sums = model.columns.keys() | reject('in', keys) | list -%}
    {%- set is_anything = sums | join(' <> 0 or ') ~ ' <> 0' -%}
    {%- if is_by_difference() %}
        create or replace temporary table differences as
        select * from ({{ compiled_code }})
        where {{ is_anything }};
        create or replace temporary table changed as
        select
            {{ keys | join(', ') }}
            {%- for name in sums %},
            sum({{ name }}) as {{ name }}
            {%- endfor %}
        from (
            select built.* from {{ target }} as built semi join differences using ({{ keys | join(', ') }})
            union all by name
            select * from differences
        )
        group by {{ keys | join(', ') }};
        delete from {{ target }} as built
        using differences
        where {% for key in keys %}built.{{ key }} = differences.{{ key }}{{ ' and ' if not loop.last }}{% endfor %};
        insert into {{ target }} by name
        select * from changed where {{ is_anything }};
        drop table differences;
        drop table changed;
    {%- else %}
        delete from {{ target }};
        insert into {{ target }} by name ({{ compiled_code }});
    {%- endif %}
{%- endmacro %}
