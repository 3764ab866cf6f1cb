select
    account_id,
    unique_id,
    position,
    team_id
from {{ source('social_connect', 'mention_assignment_teams') }}
