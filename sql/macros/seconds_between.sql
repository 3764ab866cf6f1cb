{#-
    Whole seconds from one instant to another as bigint: null when either is unknown, 0 when the second is earlier (the
    clocks of two services differ). Not `datediff`, which counts borders crossed; not `greatest(0, ...)`, which makes 0
    of null.
-#}
{% macro seconds_between(starts_at, ends_at) -%}
    case
        when {{ ends_at }} < {{ starts_at }} then 0
        else (epoch_us({{ ends_at }}) - epoch_us({{ starts_at }})) // 1000000
    end
{%- endmacro %}
