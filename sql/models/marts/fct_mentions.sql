{{ incremental_by_item('mention', summed=[
    'account_id', 'unique_id', 'topic_id', 'channel', 'sentiment', 'status', 'is_own', 'is_deleted', 'has_reply',
    'has_resolve', 'is_in_response_metrics', 'is_negative_interval', 'is_status_contradicted', 'published_at',
    'added_at', 'mention_at', 'mention_date', 'reporting_time_zone', 'first_human_action_at', 'first_human_reply_at',
    'first_resolved_at', 'deleted_at', 'first_human_action_agent_id', 'first_human_reply_agent_id',
    'first_resolve_actor_kind', 'first_human_resolve_agent_id', 'first_response_seconds',
    'first_human_response_seconds', 'resolve_seconds', 'first_action_seconds', 'first_human_action_seconds',
    'first_assignment_seconds', 'first_response_business_hours_seconds',
    'first_human_response_business_hours_seconds', 'resolve_business_hours_seconds',
    'first_action_business_hours_seconds', 'first_human_action_business_hours_seconds',
    'first_assignment_business_hours_seconds', 'api_response_time_seconds',
    'api_response_time_business_hours_seconds', 'api_resolve_time_seconds',
    'api_resolve_time_business_hours_seconds', 'api_handle_time_seconds', 'action_count', 'reply_count',
    'reopening_count',
]) }}
-- One row per mention, alive or deleted. Null: has not happened or cannot be known. 0: happened at once.
with mentions as (
    select
        *,
        coalesce(published_at, added_at) as item_at,
        concat(message_title, message_content, message_stripped_content) <> '' as has_text,
        coalesce(is_author_managed, false) as is_own,
        deleted_at is not null as is_deleted
    from {{ of_touched(ref('stg_mentions'), 'mention') }}
),

states as (
    {{ item_states('mention') }}
),

ownership as (
    {{ item_ownership('mention') }}
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
    mentions.has_text,
    mentions.published_at is null and not mentions.has_text as is_stripped,
    {{ item_flags('mentions') }},
    {{ item_measures('mentions', 'mention') }}
from mentions
{{ join_item_measures('mentions', 'mention') }}
