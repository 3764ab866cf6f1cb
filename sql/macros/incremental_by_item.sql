{#-
    Incremental builds. An item's rows are made anew, all of them, when the item has been touched since the last build
    that succeeded (int_touched_items), and stay as they are when it has not. Which loads and deletions are built is
    kept in two tables that no model makes: they are written when all models have been built, so that what a build that
    failed has not done is done by the next.
-#}

{#-
    The configuration of a model whose rows belong to items. Rows of touched items go before their new ones come.
    `object` says which items, in SQL: a model of mentions only has no column that does.
-#}
{% macro incremental_by_item(object='built.object') -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook='{{ forget_touched(this, "' ~ object ~ '") }}',
    ) }}
{#- Said when the project is read only: a unit test has no such input. -#}
{% if not execute %}-- depends_on: {{ ref('int_touched_items') }}{% endif %}
{%- endmacro %}

{% macro forget_touched(relation, object) -%}
    {%- if is_incremental() -%}
        delete from {{ relation }} as built
        using {{ ref('int_touched_items') }} as touched
        where
            built.account_id = touched.account_id
            and built.unique_id = touched.unique_id
            and {{ object }} = touched.object
    {%- endif -%}
{%- endmacro %}

{#-
    What a model reads in place of a relation whose rows belong to items: those of the items that are to be built, which
    are all, unless the build is incremental. `object` says which items, where the relation has no column that does.
-#}
{% macro of_touched(relation, object=none) -%}
    {#- `this` is none in a unit test. -#}
    {%- if this is not none and is_incremental() -%}
        (
            select candidates.*
            from {{ relation }} as candidates
            semi join {{ ref('int_touched_items') }} as touched
                on candidates.account_id = touched.account_id
                and candidates.unique_id = touched.unique_id
                and {{ "'" ~ object ~ "'" if object else 'candidates.object' }} = touched.object
        )
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{% macro built_loads() -%} intermediate._built_loads {%- endmacro %}
{% macro built_deletions() -%} intermediate._built_deletions {%- endmacro %}

{#- Before a build: the two tables are there, and empty before a full one. -#}
{% macro make_ledger() %}
    {%- if execute %}
        {%- set make = 'create or replace table' if flags.FULL_REFRESH else 'create table if not exists' %}
create schema if not exists intermediate;
{{ make }} {{ built_loads() }} (load_id varchar);
{{ make }} {{ built_deletions() }} (
    account_id varchar,
    object varchar,
    unique_id varchar,
    deleted_at timestamp with time zone,
    restored_at timestamp with time zone
);
    {%- endif %}
{% endmacro %}

{#- After a build: what was loaded before it is built now, if every model that goes by it has been. -#}
{% macro keep_ledger(results) %}
    {%- if execute -%}
        {%- set done = [] -%}
        {%- for result in results if result.status == 'success' -%}
            {%- do done.append(result.node.unique_id) -%}
        {%- endfor -%}
        {%- set left_out = [] -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.unique_id not in done -%}
            {%- if node.config.materialized == 'incremental' or node.name == 'int_touched_items' -%}
                {%- do left_out.append(node.name) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if not left_out %}
create or replace table {{ built_loads() }} as
select distinct coalesce(load_id, '') as load_id from intermediate.int_items;
create or replace table {{ built_deletions() }} as
select * from staging.stg_deletions;
-- With which rules, zone and versions, only the program knows, and says it after this; else the next build is a full one.
create or replace table intermediate._built_with as select cast(null as varchar) as fingerprint;
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
