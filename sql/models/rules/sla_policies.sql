select
    policy_id,
    account_id,
    object,
    metric,
    cast(target_seconds as bigint) as target_seconds,
    clock,
    schedule_id,
    topic_id,
    channel,
    priority,
    tag,
    coalesce(cast(pauses_while_pending as boolean), false) as pauses_while_pending,
    cast(valid_from as timestamp with time zone) as valid_from,
    cast(valid_to as timestamp with time zone) as valid_to
from {{ rules_file('sla_policies') }}
