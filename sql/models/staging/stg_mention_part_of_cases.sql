select
    account_id,
    unique_id,
    position,
    id as case_id,
    case_unique_id,
    permalink,
    topic_id as case_topic_id
from {{ source('social_connect', 'mention_part_of_cases') }}
