{#-
    Whether a stretch of int_state_intervals or fct_status_intervals, joined with its item of int_items, is backlog at an
    instant: not resolved, of a customer, there and not yet deleted. The backlog of any instants:
        select moments.moment, count(*)
        from moments
        inner join fct_status_intervals as intervals on true
        inner join int_items as items using (account_id, object, unique_id)
        where {{ is_open_at('intervals', 'items', 'moments.moment') }}
-#}
{% macro is_open_at(intervals, items, instant) -%}
    (
        {{ intervals }}.status <> 'done'
        and not {{ items }}.is_own
        and {{ intervals }}.started_at <= {{ instant }}
        and coalesce({{ intervals }}.ended_at > {{ instant }}, true)
        and coalesce({{ items }}.deleted_at > {{ instant }}, true)
    )
{%- endmacro %}
