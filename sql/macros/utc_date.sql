{#- Date of UTC. A cast to date, which goes through a calendar, takes twenty times longer. -#}
{% macro utc_date(instant) -%}
    make_date(cast(epoch_us({{ instant }}) // 86400000000 as integer))
{%- endmacro %}
