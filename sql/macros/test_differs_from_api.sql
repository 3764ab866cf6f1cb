{#- Finds rows where our value and the API's own, both known, differ. Leaves out rows in `except_where`. -#}
{% test differs_from_api(model, ours, api, except_where) %}

select *
from {{ model }}
where {{ ours }} <> {{ api }} and not ({{ except_where }})

{% endtest %}
