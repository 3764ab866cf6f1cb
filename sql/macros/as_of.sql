{#-
    The instant that ages and open items are reckoned to: the run's clock, else when the build started. Asked for when a
    model runs, not when the project is read: dbt would read the project anew for each new instant.
-#}
{% macro as_of() -%}
    {%- if execute -%} {{ env_var('SOCIAL_WAREHOUSE_AS_OF', run_started_at.isoformat()) }} {%- endif -%}
{%- endmacro %}
