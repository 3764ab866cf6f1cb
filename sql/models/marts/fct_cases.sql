{{ incremental_by_item('case', summed=[
    'account_id', 'unique_id', 'topic_id', 'channel', 'status', 'is_own', 'is_deleted', 'is_in_response_metrics',
    'is_negative_interval', 'is_status_contradicted', 'published_at', 'added_at', 'case_at', 'first_human_action_at',
    'first_human_reply_at', 'first_resolved_at', 'deleted_at', 'first_human_action_agent_id',
    'first_human_reply_agent_id', 'first_resolve_actor_kind', 'first_human_resolve_agent_id',
    'first_response_seconds', 'first_response_business_hours_seconds', 'first_human_action_seconds',
    'first_human_action_business_hours_seconds', 'first_human_response_seconds',
    'first_human_response_business_hours_seconds', 'resolve_seconds', 'resolve_business_hours_seconds',
    'unresolved_seconds', 'unresolved_business_hours_seconds', 'pending_seconds', 'api_response_time_seconds',
    'api_response_time_business_hours_seconds', 'api_resolve_time_seconds',
    'api_resolve_time_business_hours_seconds', 'api_handle_time_seconds', 'api_unresolved_time_seconds',
    'api_unresolved_time_business_hours_seconds', 'api_pending_time_seconds',
]) }}
-- One row per case, alive or deleted. Null: has not happened or cannot be known. 0: happened at once.
with cases as (
    select
        *,
        coalesce(published_at, added_at) as item_at,
        coalesce(is_author_managed, false) as is_own,
        deleted_at is not null as is_deleted
    from {{ of_touched(ref('stg_cases'), 'case') }}
),

linked as (
    select
        account_id,
        unique_id,
        count(*) as linked_mention_count,
        min(coalesce(published_at, added_at)) as first_mention_at,
        max(coalesce(published_at, added_at)) as last_mention_at
    from {{ of_touched(ref('stg_case_linked_mentions'), 'case') }}
    group by account_id, unique_id
),

waits as (
    select
        account_id,
        unique_id,
        count(*) as wait_count,
        count(*) filter (where end_reason = 'reply') as replied_wait_count,
        cast(sum(wait_seconds) as bigint) as wait_seconds,
        max(started_at) filter (where end_reason = 'waiting') as waiting_since_at
    from {{ of_touched(ref('fct_replies')) }}
    where object = 'case'
    group by account_id, unique_id
),

states as (
    {{ item_states('case') }}
),

ownership as (
    {{ item_ownership('case') }}
)

select
    cases.account_id,
    cases.unique_id,
    cases.case_id,
    {{ or_unknown('cases.topic_id') }} as topic_id,
    {{ or_unknown('cases.source_service') }} as channel,
    cases.source_profile as profile_id,
    cases.contact_id,
    cases.author_id,
    cases.message_language as language,
    cases.message_sentiment as sentiment,
    cases.status,
    cases.priority_id,
    cases.priority_name,
    cases.handled_by_type,
    cases.permalink,
    cases.contact_id is null as is_manual,
    {{ item_flags('cases') }},
    {{ item_measures('cases', 'case') }},
    coalesce(linked.linked_mention_count, 0) as linked_mention_count,
    linked.first_mention_at,
    linked.last_mention_at,
    coalesce(waits.wait_count, 0) as wait_count,
    coalesce(waits.replied_wait_count, 0) as replied_wait_count,
    waits.wait_seconds,
    waits.waiting_since_at
from cases
{{ join_item_measures('cases', 'case') }}
left join linked
    on cases.account_id = linked.account_id
    and cases.unique_id = linked.unique_id
left join waits
    on cases.account_id = waits.account_id
    and cases.unique_id = waits.unique_id
