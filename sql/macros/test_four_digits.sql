{#- Finds times of day that are not four digits from 0000 to 2400. Null is none. -#}
{% test four_digits(model, column_name) %}

select {{ column_name }}
from {{ model }}
where not regexp_full_match({{ column_name }}, '([01][0-9]|2[0-3])[0-5][0-9]|2400')

{% endtest %}
