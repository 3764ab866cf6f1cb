select
    account_id,
    unique_id,
    position,
    kind,
    string,
    start_index,
    end_index,
    text,
    filter,
    url,
    short_url,
    long_url,
    display_url,
    service,
    screen_name
from {{ source('social_connect', 'mention_entities') }}
