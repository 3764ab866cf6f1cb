{#- Finds rows where our value and the API's own, both known, are not the same. Rows in `except_where` are not compared. -#}
{% test differs_from_api(model, ours, api, except_where) %}

select *
from {{ model }}
where {{ ours }} <> {{ api }} and not ({{ except_where }})

{% endtest %}
