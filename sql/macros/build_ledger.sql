{#-
    What the last build that succeeded has built. Which loads and deletions are built is kept in two tables that no model
    makes: they are written when all models have been built, so that what a build that failed has not done is done by the
    next.
-#}

{% macro built_loads() -%} intermediate._built_loads {%- endmacro %}
{% macro built_deletions() -%} intermediate._built_deletions {%- endmacro %}

{#- There while a build is under way, and after one that did not come to its end. -#}
{% macro unfinished_build() -%}
    {{ return(api.Relation.create(database=target.database, schema='intermediate', identifier='_unfinished_build')) }}
{%- endmacro %}

{% macro incremental_models() -%}
    {{ return(
        graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'incremental') | list
    ) }}
{%- endmacro %}

{#-
    Before a build: the two tables are there, and empty before a full one. A third is there until the build has come to
    its end. When it is there already, the last has not, and nobody knows which items the daily sums are of: they go, and
    are made whole.
-#}
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
        {%- if incremental_models() | selectattr('unique_id', 'in', selected_resources) | list %}
            {%- do refuse_missing_tables() %}
            {%- if load_cached_relation(unfinished_build()) is not none %}
                {%- for node in incremental_models() if node.config.incremental_strategy == 'by_difference' %}
                    {%- set sums = load_cached_relation(table_of(node)) %}
                    {%- if sums is not none %}{% do adapter.drop_relation(sums) %}{% endif %}
                {%- endfor %}
            {%- endif %}
create or replace table {{ unfinished_build() }} as select '{{ invocation_id }}' as invocation_id;
        {%- endif %}
    {%- endif %}
{% endmacro %}

{#- Of models of items either all have a table or none: one without would be made of touched items only. -#}
{% macro refuse_missing_tables() %}
    {%- set missing = [] %}
    {%- set by_item = incremental_models() | selectattr('config.incremental_strategy', 'equalto', 'by_item') | list %}
    {%- for node in by_item if load_cached_relation(table_of(node)) is none %}
        {%- do missing.append(node.name) %}
    {%- endfor %}
    {%- if missing and missing | length < by_item | length and not flags.FULL_REFRESH %}
        {%- do exceptions.raise_compiler_error(
            'There is no table of ' ~ missing | join(', ') ~ ', so it cannot be brought up to date: build with --full-refresh.'
        ) %}
    {%- endif %}
{% endmacro %}

{% macro table_of(node) -%}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.name)) }}
{%- endmacro %}

{#- After a build: what was loaded before it is built now, if every model that goes by it has been. -#}
{% macro keep_ledger(results) %}
    {%- if execute -%}
        {%- set done = results | selectattr('status', 'equalto', 'success') | map(attribute='node.unique_id') | list -%}
        {%- set wanted = incremental_models() | map(attribute='unique_id') | list
            + ['model.' ~ project_name ~ '.int_touched_items'] -%}
        {%- for node in incremental_models() %}
drop table if exists {{ changes_of(node.name) }};
        {%- endfor %}
        {%- if not wanted | reject('in', done) | list %}
create or replace table {{ built_loads() }} as
select distinct coalesce(load_id, '') as load_id from intermediate.int_items;
create or replace table {{ built_deletions() }} as
select * from staging.stg_deletions;
-- With which rules, zone and versions, only the program knows, and says it after this; else the next build is a full one.
create or replace table intermediate._built_with as select cast(null as varchar) as fingerprint;
drop table if exists {{ unfinished_build() }};
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
