{#- Number of the day of UTC, as a number: a date, which goes through a calendar, takes many times longer. -#}
{% macro utc_day(instant) -%}
    (epoch_us({{ instant }}) // 86400000000)
{%- endmacro %}
