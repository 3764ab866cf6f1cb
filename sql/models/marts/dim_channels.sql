-- One row per account and channel seen on its mentions and cases.
with items as (
    {%- for object in ['mentions', 'cases'] %}
    select account_id, source_service, source_category, published_at, added_at
    from {{ ref('stg_' ~ object) }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
)

select
    account_id,
    {{ or_unknown('source_service') }} as channel,
    arg_max(source_category, added_at) as category,
    bool_or(published_at is not null) as has_publication_times,
    min(added_at) as first_added_at,
    max(added_at) as last_added_at
from items
group by account_id, channel
