select
    written.policy_id,
    written.account_id,
    written.object,
    written.metric,
    cast(written.target_seconds as bigint) as target_seconds,
    written.clock,
    written.schedule_id,
    written.topic_id,
    written.channel,
    written.priority,
    written.tag,
    coalesce(cast(written.pauses_while_pending as boolean), false) as pauses_while_pending,
    cast(written.valid_from as timestamp with time zone) as valid_from,
    cast(written.valid_to as timestamp with time zone) as valid_to
from {{ rules_file('sla_policies') }} as written
