select
    account_id,
    topic_id,
    position,
    id as profile_id,
    type,
    service_id,
    displayname as display_name,
    username
from {{ source('social_connect', 'topic_monitored_profiles') }}
