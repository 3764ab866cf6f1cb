{#-
    The instant that ages and open items are reckoned to: the run's clock, else when the build started. Only models that
    no other build step reads again may use it, so that it is asked for when a model runs, not when the project is read.
-#}
{% macro as_of() -%}
    {%- if execute -%} {{ env_var('SOCIAL_WAREHOUSE_AS_OF', run_started_at.isoformat()) }} {%- endif -%}
{%- endmacro %}
