{{ config(materialized='view') }}
-- One row per account, period (all time, or a month) and tag.
with mentions as (
    select mentions.*, tags.tag
    from {{ ref('bridge_mention_tags') }} as tags
    inner join {{ ref('fct_mentions') }} as mentions
        on tags.account_id = mentions.account_id
        and tags.unique_id = mentions.unique_id
    where not mentions.is_deleted and mentions.mention_date is not null
),

{{ mentions_by_period('tag') }}
