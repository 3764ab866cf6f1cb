{{ incremental_by_item('mention', summed=[
    'account_id', 'unique_id', 'tag',
]) }}
-- One row per account, mention and name of a tag on it.
select distinct
    account_id,
    unique_id,
    tag
from {{ of_touched(ref('stg_mention_tags'), 'mention') }}
where tag is not null
