select
    account_id,
    team_id,
    user_id,
    _version_hash as version_hash,
    valid_from,
    valid_to
from {{ source('history', 'team_members') }}
