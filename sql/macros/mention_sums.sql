{#- What agg_channels_daily and agg_tags_daily say alike, of rows of fct_mentions that are not deleted. -#}
{% macro mention_sums() -%}
    {{ counted('not is_own') }} as mention_count,
    {{ counted('is_own') }} as own_mention_count,
    {{ counted('not is_own and has_reply') }} as replied_count,
    {{ counted('not is_own and has_resolve') }} as resolved_count,
    {{ counted('not is_own and reopening_count > 0') }} as reopened_count,
    {{ counted("not is_own and status <> 'done'") }} as unresolved_count,
    {{ counted('not is_own and action_count > 0') }} as with_actions_count,
    {{ summed('reply_count', 'not is_own') }} as reply_count
    {%- for measure in ['first_response', 'first_response_business_hours', 'resolve', 'resolve_business_hours'] %},
    {{ counted('not is_own and ' ~ measure ~ '_seconds is not null') }} as {{ measure }}_known_count,
    {{ summed(measure ~ '_seconds', 'not is_own') }} as {{ measure }}_seconds_sum
    {%- endfor %}
{%- endmacro %}
