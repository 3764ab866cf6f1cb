{#- What agg_channels_daily and agg_tags_daily say alike, of rows of fct_mentions that are not deleted. -#}
{% macro mention_sums() -%}
    count(*) filter (where not is_own) as mention_count,
    count(*) filter (where is_own) as own_mention_count,
    count(*) filter (where not is_own and has_reply) as replied_count,
    count(*) filter (where not is_own and has_resolve) as resolved_count,
    count(*) filter (where not is_own and reopening_count > 0) as reopened_count,
    count(*) filter (where not is_own and status <> 'done') as unresolved_count,
    count(*) filter (where not is_own and action_count > 0) as with_actions_count,
    cast(coalesce(sum(reply_count) filter (where not is_own), 0) as bigint) as reply_count
    {%- for measure in ['first_response', 'first_response_business_hours', 'resolve', 'resolve_business_hours'] %},
    count({{ measure }}_seconds) filter (where not is_own) as {{ measure }}_known_count,
    cast(coalesce(sum({{ measure }}_seconds) filter (where not is_own), 0) as bigint) as {{ measure }}_seconds_sum
    {%- endfor %}
{%- endmacro %}
