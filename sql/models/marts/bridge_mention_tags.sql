-- One row per account, mention and name of a tag on it.
select distinct
    account_id,
    unique_id,
    tag
from {{ ref('stg_mention_tags') }}
where tag is not null
