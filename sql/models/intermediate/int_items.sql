{{ config(materialized='view') }}
-- One row per item of the inbox: a mention or a case. What the models of both have in common, and nothing computed.
{%- for object in ['mention', 'case'] %}
select
    account_id,
    '{{ object }}' as object,
    unique_id,
    {{ or_unknown('topic_id') }} as topic_id,
    {{ or_unknown('source_service') }} as channel,
    author_id,
    status,
    priority_name,
    coalesce(is_author_managed, false) as is_own,
    deleted_at,
    published_at,
    added_at,
    coalesce(published_at, added_at) as item_at,
    load_id
from {{ ref('stg_' ~ object ~ 's') }}
{{- '\nunion all' if not loop.last }}
{%- endfor %}
