{{ incremental_by_difference(['account_id', 'object', 'topic_id', 'channel', 'status', 'change_date']) }}
-- One row per account, object, topic, channel, status and date on which an item came into the backlog or left it.
{{ backlog_changes(
    weighted(ref('int_state_intervals')), weighted(ref('fct_mentions')), weighted(ref('fct_cases')), 'true'
) }}
