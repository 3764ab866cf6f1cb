{#-
    Date of UTC, by the days since the first of the year 1, before which no time is loaded: a division cuts off towards
    0. A cast to date, which goes through a calendar, takes twenty times longer.
-#}
{% macro utc_date(instant) -%}
    make_date(cast((epoch_us({{ instant }}) + 62135596800000000) // 86400000000 as integer) - 719162)
{%- endmacro %}
