-- One row per account and topic, listed by the API or only seen on mentions and cases.
with listed as (
    select * from {{ ref('stg_topics') }}
),

profiles as (
    select account_id, topic_id, count(*) as monitored_profile_count
    from {{ ref('stg_topic_monitored_profiles') }}
    group by account_id, topic_id
),

items as (
    {%- for object in ['mentions', 'cases'] %}
    select account_id, topic_id, topic_name, project_id, project_name, added_at
    from {{ ref('stg_' ~ object) }}
    {{- '\n    union all' if not loop.last }}
    {%- endfor %}
),

seen as (
    select
        account_id,
        {{ or_unknown('topic_id') }} as topic_id,
        arg_max(topic_name, added_at) as topic_name,
        arg_max(project_id, added_at) as project_id,
        arg_max(project_name, added_at) as project_name
    from items
    group by all
)

select
    coalesce(listed.account_id, seen.account_id) as account_id,
    coalesce(listed.topic_id, seen.topic_id) as topic_id,
    coalesce(listed.name, seen.topic_name, seen.topic_id, listed.topic_id) as topic_name,
    seen.project_id,
    seen.project_name,
    listed.topic_id is not null as is_listed,
    coalesce(profiles.monitored_profile_count, 0) as monitored_profile_count
from listed
full join seen
    on listed.account_id = seen.account_id
    and listed.topic_id = seen.topic_id
left join profiles
    on listed.account_id = profiles.account_id
    and listed.topic_id = profiles.topic_id
