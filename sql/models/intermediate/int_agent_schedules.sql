{{ config(tags='in_fingerprint') }}
-- One row per account, user and stretch of time in which the user had one business hours schedule, as the API tells
-- it: half-open, without a gap. Nearly all users have one row, so a join by range costs no more than one by key.
with versions as (
    select
        account_id,
        user_id as agent_id,
        valid_from,
        business_hours_schedule_id as schedule_id,
        row_number() over in_time as version_number,
        lag(business_hours_schedule_id) over in_time as previous_schedule_id
    from {{ ref('stg_user_versions') }}
    window in_time as (partition by account_id, user_id order by valid_from)
),

changes as (
    select
        account_id,
        agent_id,
        -- What a user had before the first reading is not known: it is taken to be the same.
        case when version_number = 1 then {{ before_all_time() }} else valid_from end as valid_from,
        schedule_id
    from versions
    where version_number = 1 or schedule_id is distinct from previous_schedule_id
)

select
    account_id,
    agent_id,
    valid_from,
    coalesce(
        lead(valid_from) over (partition by account_id, agent_id order by valid_from), 'infinity'::timestamptz
    ) as valid_to,
    schedule_id
from changes
