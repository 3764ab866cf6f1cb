select
    account_id,
    topic_id,
    position,
    id as profile_id,
    type,
    service_id,
    displayname as display_name,
    username,
    avatar,
    provider,
    filters_postedby,
    filters_postedin,
    filters_profile
from {{ source('social_connect', 'topic_monitored_profiles') }}
