{#- The date of an instant in the reporting time zone, by the rules in force at that instant, not by today's offset. -#}
{% macro reporting_date(instant) -%}
    cast(timezone('{{ var("reporting_time_zone") }}', {{ instant }}) as date)
{%- endmacro %}
