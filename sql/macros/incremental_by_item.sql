{#-
    Models whose rows belong to items. An item's rows are made anew, all of them, when the item has been touched since the
    last build that succeeded (int_touched_items), and stay as they are when it has not.
-#}

{#-
    The configuration of such a model. `object` says whose its rows are where it has no column that does; `summed` names
    the columns that daily sums are made of (incremental_by_difference), of which nothing else is read.
-#}
{% macro incremental_by_item(object=none, summed=[]) -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='by_item',
        on_schema_change='fail',
        meta={'object': object, 'summed': summed},
    ) }}
{#- Said when the project is read only: a unit test has no such input. -#}
{% if not execute %}-- depends_on: {{ ref('int_touched_items') }}{% endif %}
{%- endmacro %}

{#-
    Statements that change the rows of touched items. What comes is kept apart until the end of the build, with a weight
    of 1: models further on need not look for it among all rows. So is what goes, with a weight of -1, where daily sums
    are made of it.
-#}
{% macro change_by_item(target) -%}
    {%- set changes = changes_of(model.name) -%}
    {%- set summed = model.config.meta.summed -%}
    {%- set is_touched %}
            built.account_id = touched.account_id
            and built.unique_id = touched.unique_id
            and {{ object_of('built', model.config.meta.object) }} = touched.object
    {%- endset %}
        create or replace table {{ changes }} as
        select 1 as weight, fresh.* from ({{ compiled_code }}) as fresh;
        -- By name, and in both directions: a column that only one of the two has is refused.
        insert into {{ changes }} by name
        select -1 as weight, * from {{ target }} limit 0;
    {%- if summed %}
        create or replace temporary table former as
        select built.rowid as row_id, built.{{ summed | join(', built.') }}
        from {{ target }} as built
        semi join {{ ref('int_touched_items') }} as touched on {{ is_touched }};
        insert into {{ changes }} by name
        select -1 as weight, * exclude (row_id) from former;
        delete from {{ target }} where rowid in (select row_id from former);
        drop table former;
    {%- else %}
        delete from {{ target }} as built
        using {{ ref('int_touched_items') }} as touched
        where {{ is_touched }};
    {%- endif %}
        insert into {{ target }} by name
        select * exclude (weight) from {{ changes }} where weight = 1;
{%- endmacro %}

{#-
    What a model reads in place of a relation whose rows belong to items: those of the items that are to be built, which
    are all, unless the build is incremental. `object` says whose they are, where the relation has no column that does.
-#}
{% macro of_touched(relation, object=none) -%}
    {#- `this` is none in a unit test. -#}
    {%- if this is none or not is_incremental() -%}
        {{ relation }}
    {%- elif is_changed_in_this_run(relation.identifier) -%}
        (select * exclude (weight) from {{ changes_of(relation.identifier) }} where weight = 1)
    {%- else -%}
        (
            select candidates.*
            from {{ relation }} as candidates
            semi join {{ ref('int_touched_items') }} as touched
                on candidates.account_id = touched.account_id
                and candidates.unique_id = touched.unique_id
                and {{ object_of('candidates', object) }} = touched.object
        )
    {%- endif -%}
{%- endmacro %}

{#- What a model reads in place of int_items: all items, or those that are to be built. -#}
{% macro touched_items() -%}
    {%- if this is none or not is_incremental() -%}
        {{ ref('int_items') }}
    {%- elif 'model.' ~ project_name ~ '.int_touched_items' in selected_resources -%}
        (select * exclude (is_there) from {{ ref('int_touched_items') }} where is_there)
    {%- else -%}
        {{ of_touched(ref('int_items')) }}
    {%- endif -%}
{%- endmacro %}

{% macro object_of(relation, object) -%} {{ "'" ~ object ~ "'" if object else relation ~ '.object' }} {%- endmacro %}

{% macro changes_of(model_name) -%} intermediate._changes_of_{{ model_name }} {%- endmacro %}

{#- Whether a model of items is, or has been, changed in this run: a run may be of some models only. -#}
{% macro is_changed_in_this_run(model_name) -%}
    {%- set unique_id = 'model.' ~ project_name ~ '.' ~ model_name -%}
    {{ return(
        unique_id in selected_resources and graph.nodes[unique_id].config.get('incremental_strategy') == 'by_item'
    ) }}
{%- endmacro %}

{#- Whether the model has a table of an earlier build, which this one goes on from. -#}
{% macro has_been_built() -%}
    {#- `this` is none in a unit test. -#}
    {{ return(this is not none and load_cached_relation(this) is not none and not should_full_refresh()) }}
{%- endmacro %}
