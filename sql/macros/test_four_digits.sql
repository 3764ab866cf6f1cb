{#- Finds times of day that are not four digits from 0000 to 2400; null is one of them, unless it may be there. -#}
{% test four_digits(model, column_name, nullable=false) %}

select {{ column_name }}
from {{ model }}
where {{ 'false' if nullable else column_name ~ ' is null' }} or not regexp_full_match({{ column_name }}, {{ four_digits() }})

{% endtest %}
