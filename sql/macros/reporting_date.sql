{#-
    The date of an instant in the reporting time zone, by the rules in force at that instant, not by today's offset. The
    cast goes through a calendar: of many instants, `day` names the join that saves it (reporting_day).
-#}
{% macro reporting_date(instant, day=none) -%}
    {%- set cast_date -%} cast(timezone('{{ var("reporting_time_zone") }}', {{ instant }}) as date) {%- endset -%}
    {%- if day -%}
        coalesce({{ day }}.local_date + cast({{ instant }} >= {{ day }}.next_date_starts_at as integer), {{ cast_date }})
    {%- else -%}
        {{ cast_date }}
    {%- endif -%}
{%- endmacro %}

{#- What a model joins to tell the reporting dates of many instants; it adds and takes away no row. -#}
{% macro reporting_day(name, instant) -%}
    left join {{ ref('int_reporting_days') }} as {{ name }}
        on {{ utc_date(instant) }} = {{ name }}.utc_date
{%- endmacro %}
