-- One row per account and topic, listed by the API or only seen on mentions.
with listed as (
    select * from {{ ref('stg_topics') }}
),

profiles as (
    select account_id, topic_id, count(*) as monitored_profile_count
    from {{ ref('stg_topic_monitored_profiles') }}
    group by account_id, topic_id
),

mentioned as (
    select
        account_id,
        {{ or_unknown('topic_id') }} as topic_id,
        arg_max(topic_name, added_at) as topic_name,
        arg_max(project_id, added_at) as project_id,
        arg_max(project_name, added_at) as project_name
    from {{ ref('stg_mentions') }}
    group by all
)

select
    coalesce(listed.account_id, mentioned.account_id) as account_id,
    coalesce(listed.topic_id, mentioned.topic_id) as topic_id,
    coalesce(listed.name, mentioned.topic_name, mentioned.topic_id, listed.topic_id) as topic_name,
    mentioned.project_id,
    mentioned.project_name,
    listed.topic_id is not null as is_listed,
    coalesce(profiles.monitored_profile_count, 0) as monitored_profile_count
from listed
full join mentioned
    on listed.account_id = mentioned.account_id
    and listed.topic_id = mentioned.topic_id
left join profiles
    on listed.account_id = profiles.account_id
    and listed.topic_id = profiles.topic_id
