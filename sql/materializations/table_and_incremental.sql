{#-
    How tables are made, in one transaction each. The adapter's own materializations make a table beside the former one,
    rename both, ask for the columns of each and write all comments anew in every build, which takes longer than the rows
    of a small table do (docs/decisions/incremental.md). DuckDB replaces a table within a transaction, and readers have
    the published copy.
-#}
{% materialization table, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {{ make_table(target) }}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#-
    A table that is there is kept, and changed as the model's strategy says: `by_item` or `by_difference`. It was made as
    its contract says, and takes no other columns and types.
-#}
{% materialization incremental, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- if is_incremental() -%}
        {%- call statement('main') -%}
            {%- if config.get('incremental_strategy') == 'by_difference' -%}
                {{ change_by_difference(target) }}
            {%- else -%}
                {{ change_by_item(target) }}
            {%- endif -%}
        {%- endcall -%}
    {%- else -%}
        {{ make_table(target) }}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{#- A table that has the columns of the contract already keeps them, and their comments, until the next full refresh. -#}
{% macro make_table(target) -%}
    {%- set former = load_cached_relation(this) -%}
    {%- if former is not none and not should_full_refresh() and is_as_declared(former) -%}
        {%- call statement('main') %}
        delete from {{ target }};
        insert into {{ target }} by name ({{ compiled_code }})
        {%- endcall -%}
    {%- else -%}
        {%- call statement('main') -%}
            {%- if former is not none %}
        drop {{ former.type }} {{ former }};
            {%- endif %}
        {{ create_table_as(False, target, compiled_code) }}
        {%- endcall -%}
        {%- if config.persist_relation_docs() -%}
            {%- call statement('comments') -%}
                {{ alter_relation_comment(target, model.description) }}
                {%- for name, column in model.columns.items() %}
        comment on column {{ target }}.{{ adapter.quote(name) }} is {{ duckdb_escape_comment(column.description) }};
                {%- endfor %}
            {%- endcall -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro is_as_declared(relation) -%}
    {%- if relation.type != 'table' or not config.get('contract').enforced -%}{{ return(false) }}{%- endif -%}
    {%- set found = [] -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do found.append((column.name ~ ' ' ~ column.dtype) | upper | replace(' ', '')) -%}
    {%- endfor -%}
    {%- set declared = [] -%}
    {%- for name, column in model.columns.items() -%}
        {%- do declared.append((name ~ ' ' ~ column.data_type) | upper | replace(' ', '')) -%}
    {%- endfor -%}
    {{ return(found == declared) }}
{%- endmacro %}
