{{ config(materialized='view') }}
-- One row per policy. `selection` says in one text which clocks the policy runs: what int_sla_cycles is made from.
select
    *,
    md5(cast(
        struct_pack(
            policy_id, account_id, object, metric, topic_id, channel, priority, tag, valid_from, valid_to
        ) as varchar
    )) as selection
from {{ ref('sla_policies') }}
