-- One row per account and channel seen on its mentions.
select
    account_id,
    {{ or_unknown('source_service') }} as channel,
    arg_max(source_category, added_at) as category,
    bool_or(published_at is not null) as has_publication_times,
    min(added_at) as first_added_at,
    max(added_at) as last_added_at
from {{ ref('stg_mentions') }}
group by all
