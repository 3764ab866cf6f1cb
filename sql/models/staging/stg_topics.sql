select
    account_id,
    id as topic_id,
    name,
    searchkeywords,
    _loaded_at
from {{ source('social_connect', 'topics') }}
