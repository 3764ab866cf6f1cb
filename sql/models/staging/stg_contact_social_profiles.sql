select
    account_id,
    contact_id,
    position,
    type,
    service_id,
    username,
    displayname,
    avatar,
    url,
    location,
    bio,
    action_links
from {{ source('social_connect', 'contact_social_profiles') }}
