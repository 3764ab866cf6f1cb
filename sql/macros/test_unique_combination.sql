{#-
    Finds keys that two rows share, and keys with a null part. Parts in `nullable` may be null, and then count as equal.
-#}
{% test unique_combination(model, columns, nullable=[]) %}

select {{ columns | join(', ') }}, count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {%- for column in columns if column not in nullable %}
    or {{ column }} is null
    {%- endfor %}

{% endtest %}
