{{ incremental_by_item("'mention'") }}
-- One row per action on a mention. `action_number` counts from the oldest, so it stays when new actions come.
with mentions as (
    select account_id, unique_id, topic_id, channel, is_own, is_deleted, published_at
    from {{ of_touched(ref('fct_mentions'), 'mention') }}
)

select
    actions.account_id,
    actions.unique_id,
    actions.action_number,
    actions.action_type,
    actions.actor_kind,
    actions.agent_id,
    mentions.topic_id,
    mentions.channel,
    actions.status_set,
    actions.priority_set,
    actions.is_reply,
    actions.is_resolve,
    actions.is_reopening,
    actions.is_assignment,
    actions.is_handoff,
    mentions.is_own,
    mentions.is_deleted,
    actions.action_at,
    {{ reporting_date('actions.action_at', 'day') }} as action_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    actions.schedule_id,
    actions.is_in_business_hours,
    {{ seconds_between('mentions.published_at', 'actions.action_at') }} as since_publication_seconds
from {{ of_touched(ref('int_actions')) }} as actions
left join mentions
    on actions.account_id = mentions.account_id
    and actions.unique_id = mentions.unique_id
{{ reporting_day('day', 'actions.action_at') }}
where actions.object = 'mention'
