select
    account_id,
    object,
    unique_id,
    deleted_at,
    restored_at
from {{ source('history', 'deletions') }}
