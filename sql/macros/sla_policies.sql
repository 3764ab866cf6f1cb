{#-
    The policies belong to the user, who edits them between two builds. What int_sla_cycles has built of a policy counts
    only while the policy selects the same clocks: of one that selects others all rows go, and all its items are built.
    Targets, clocks and pauses are not in it: fct_sla_events reads them on every build.
-#}

{#- Before an incremental build: rows of policies that have changed or are gone go. -#}
{% macro forget_changed_policies(relation) -%}
    {%- if is_incremental() -%}
        delete from {{ relation }}
        where selection not in (select selection from {{ ref('int_sla_policies') }})
    {%- endif -%}
{%- endmacro %}

{#- Whether nothing has been built of a policy yet, so that every item is to be looked at, touched or not. -#}
{% macro is_policy_unbuilt(selection) -%}
    {#- `this` is none in a unit test. -#}
    {%- if this is not none and is_incremental() -%}
        {{ selection }} not in (select selection from {{ this }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
