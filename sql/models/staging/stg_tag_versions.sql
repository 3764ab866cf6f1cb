select
    account_id,
    id as tag_id,
    tag,
    parent_id as parent_tag_id,
    is_visible,
    is_smart_tag,
    is_category_model_tag,
    status,
    valid_from,
    valid_to
from {{ source('history', 'tags') }}
