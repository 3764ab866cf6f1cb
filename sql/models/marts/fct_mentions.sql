-- One row per mention, alive or deleted. Null: has not happened or cannot be known. 0: happened at once.
with mentions as (
    select
        *,
        coalesce(published_at, added_at) as mention_at,
        concat(message_title, message_content, message_stripped_content) <> '' as has_text,
        coalesce(is_author_managed, false) as is_own,
        deleted_at is not null as is_deleted
    from {{ ref('stg_mentions') }}
),

events as (
    select * from {{ ref('int_mention_first_events') }}
)

select
    mentions.account_id,
    mentions.unique_id,
    mentions.mention_id,
    {{ or_unknown('mentions.topic_id') }} as topic_id,
    {{ or_unknown('mentions.source_service') }} as channel,
    mentions.source_category as channel_category,
    mentions.source_profile as profile_id,
    mentions.author_id,
    mentions.message_type,
    mentions.message_language as language,
    mentions.message_sentiment as sentiment,
    mentions.location_country as country,
    mentions.status,
    mentions.priority_id,
    mentions.priority_name,
    mentions.handled_by_type,
    mentions.permalink,

    mentions.is_own,
    mentions.is_deleted,
    mentions.has_text,
    mentions.published_at is null and not mentions.has_text as is_stripped,
    coalesce(events.reply_count > 0, false) as has_reply,
    coalesce(events.resolve_count > 0, false) as has_resolve,
    coalesce(events.first_action_at < mentions.published_at, false) as is_negative_interval,
    not mentions.is_own and not mentions.is_deleted as is_in_response_metrics,

    mentions.published_at,
    mentions.added_at,
    mentions.mention_at,
    {{ reporting_date('mentions.mention_at') }} as mention_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    events.first_action_at,
    events.first_reply_at,
    events.first_human_reply_at,
    events.first_resolved_at,
    events.last_action_at,
    mentions.deleted_at,
    events.first_reply_actor_kind,
    events.first_human_reply_agent_id,

    {{ seconds_between('mentions.published_at', 'events.first_action_at') }} as first_action_seconds,
    {{ seconds_between('mentions.published_at', 'events.first_reply_at') }} as first_response_seconds,
    {{ seconds_between('mentions.published_at', 'events.first_human_reply_at') }} as first_human_response_seconds,
    {{ seconds_between('mentions.published_at', 'events.first_resolved_at') }} as resolve_seconds,
    mentions.response_time_seconds as api_response_time_seconds,
    mentions.response_time_business_hours_seconds as api_response_time_business_hours_seconds,
    mentions.resolve_time_seconds as api_resolve_time_seconds,
    mentions.resolve_time_business_hours_seconds as api_resolve_time_business_hours_seconds,
    mentions.handle_time_seconds as api_handle_time_seconds,

    coalesce(events.action_count, 0) as action_count,
    coalesce(events.reply_count, 0) as reply_count,
    coalesce(events.human_reply_count, 0) as human_reply_count,
    coalesce(events.resolve_count, 0) as resolve_count,
    coalesce(events.reopening_count, 0) as reopening_count
from mentions
left join events
    on mentions.account_id = events.account_id
    and mentions.unique_id = events.unique_id
