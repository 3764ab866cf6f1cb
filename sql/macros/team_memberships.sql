{#-
    Who was in which team when, half-open. Who was in one before the first reading is not known: the first members that
    were read are taken to have been there.
-#}
{% macro team_memberships() -%}
    select
        account_id,
        team_id,
        agent_id,
        case
            when valid_from = min(valid_from) over (partition by account_id) then {{ before_all_time() }}
            else valid_from
        end as valid_from,
        coalesce(valid_to, 'infinity'::timestamptz) as valid_to
    from {{ ref('bridge_team_members') }}
{%- endmacro %}
