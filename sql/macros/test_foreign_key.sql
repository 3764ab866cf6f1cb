{#- Finds keys that point to no row of `to`. A key with a null part points nowhere and passes. -#}
{% test foreign_key(model, columns, to, to_columns=none) %}

select {{ columns | join(', ') }}
from {{ model }}
where
    {%- for column in columns %}
    {{ column }} is not null and
    {%- endfor %}
    ({{ columns | join(', ') }}) not in (select ({{ (to_columns or columns) | join(', ') }}) from {{ to }})

{% endtest %}
