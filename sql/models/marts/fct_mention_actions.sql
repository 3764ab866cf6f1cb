{{ config(materialized='view') }}
-- One row per action on a mention. `action_number` counts from the oldest, so it stays when new actions come.
-- A view, for the rows are those of int_actions: they need not be written twice. The published copy has them as a table.
select
    account_id,
    unique_id,
    action_number,
    action_type,
    actor_kind,
    agent_id,
    topic_id,
    channel,
    status_set,
    priority_set,
    is_reply,
    is_resolve,
    is_reopening,
    is_assignment,
    is_handoff,
    is_own,
    is_deleted,
    action_at,
    action_date,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    schedule_id,
    is_in_business_hours,
    since_publication_seconds
from {{ ref('int_actions') }}
where object = 'mention'
