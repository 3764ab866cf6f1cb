select
    account_id,
    id as team_id,
    name,
    is_shown_in_team_performance,
    added_at,
    updated_at,
    valid_from,
    valid_to
from {{ source('history', 'teams') }}
