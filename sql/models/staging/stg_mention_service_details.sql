select
    account_id,
    unique_id,
    position,
    kind,
    location_id,
    location_name,
    location_url,
    location_address,
    product_id,
    product_name,
    app_id,
    app_name,
    shop_id,
    shop_name,
    author_phone
from {{ source('social_connect', 'mention_service_details') }}
