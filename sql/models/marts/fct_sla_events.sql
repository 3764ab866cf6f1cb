-- One row per mention or case, policy, cycle of the policy's clock on it, and application of the policy to the cycle.
with events as (
    select
        cycles.*,
        policies.target_seconds,
        policies.clock,
        policies.pauses_while_pending,
        policies.clock = 'business_hours' as is_in_business_hours,
        case
            when policies.clock = 'business_hours'
                then coalesce(policies.schedule_id, of_topics.schedule_id, of_accounts.schedule_id)
        end as schedule_id,
        coalesce(cycles.ended_at, builds.as_of) as measured_to
    from {{ ref('int_sla_cycles') }} as cycles
    inner join {{ ref('sla_policies') }} as policies
        on cycles.policy_id = policies.policy_id
    cross join {{ ref('int_as_of') }} as builds
    left join {{ assigned_hours('topic') }} as of_topics
        on cycles.account_id = of_topics.account_id
        and cycles.topic_id = of_topics.scope_id
    left join {{ assigned_hours('account') }} as of_accounts
        on cycles.account_id = of_accounts.account_id
),

-- A reading tells how many seconds a clock had run by an instant: of the calendar, those of its epoch. All else is sums
-- and differences of readings. Null when nobody knows the schedule.
clocked as (
    select
        events.*,
        {{ clock_reading('events', 'at_start', 'events.started_at') }} as start_reading,
        {{ clock_reading('events', 'at_end', 'events.measured_to') }} as end_reading
    from events
    {{ business_clock('at_start', 'events.account_id', 'events.schedule_id', 'events.started_at') }}
    {{ business_clock('at_end', 'events.account_id', 'events.schedule_id', 'events.measured_to') }}
),

-- The pending stretches of a cycle, cut to it. One that goes on has no end.
pauses as (
    select
        clocked.account_id,
        clocked.object,
        clocked.unique_id,
        clocked.policy_id,
        clocked.cycle_number,
        clocked.application_number,
        clocked.is_in_business_hours,
        clocked.schedule_id,
        clocked.target_seconds,
        clocked.start_reading,
        clocked.measured_to,
        greatest(stretches.started_at, clocked.started_at) as paused_at,
        -- `least` passes over nulls.
        least(stretches.ended_at, clocked.ended_at) as resumed_at
    from clocked
    inner join {{ ref('fct_status_intervals') }} as stretches
        on clocked.account_id = stretches.account_id
        and clocked.object = stretches.object
        and clocked.unique_id = stretches.unique_id
    where
        clocked.pauses_while_pending
        and stretches.status = 'pending'
        and coalesce(paused_at < resumed_at, true)
),

clocked_pauses as (
    select
        pauses.*,
        {{ clock_reading('pauses', 'at_pause', 'pauses.paused_at') }} as pause_reading,
        {{ clock_reading('pauses', 'at_resumption', 'coalesce(pauses.resumed_at, pauses.measured_to)') }} as resumption_reading
    from pauses
    {{ business_clock('at_pause', 'pauses.account_id', 'pauses.schedule_id', 'pauses.paused_at') }}
    {{ business_clock('at_resumption', 'pauses.account_id', 'pauses.schedule_id', 'coalesce(pauses.resumed_at, pauses.measured_to)') }}
),

-- How much of the target was used up when each pause began: a pause puts off a due time that it comes before.
measured_pauses as (
    select
        *,
        resumption_reading - pause_reading as paused_seconds,
        pause_reading - start_reading - coalesce(sum(resumption_reading - pause_reading) over (
            partition by account_id, object, unique_id, policy_id, cycle_number, application_number
            order by paused_at
            rows between unbounded preceding and 1 preceding
        ), 0) < target_seconds as is_before_due
    from clocked_pauses
),

paused as (
    select
        account_id,
        object,
        unique_id,
        policy_id,
        cycle_number,
        application_number,
        cast(sum(paused_seconds) as bigint) as paused_seconds,
        cast(sum(paused_seconds) filter (where resumed_at is not null) as bigint) as ended_pauses_seconds,
        cast(sum(paused_seconds) filter (where is_before_due) as bigint) as paused_before_due_seconds,
        bool_or(is_before_due and resumed_at is null) as is_paused
    from measured_pauses
    group by all
),

running as (
    select
        clocked.*,
        clocked.start_reading is not null as is_clock_known,
        coalesce(paused.is_paused, false) as is_paused,
        -- `greatest` passes over nulls; these 0 are null when the clock is.
        greatest(clocked.end_reading - clocked.start_reading, 0 * clocked.start_reading)
        - coalesce(paused.paused_seconds, 0) as run_seconds,
        coalesce(paused.ended_pauses_seconds, 0 * clocked.start_reading) as paused_seconds,
        clocked.target_seconds + coalesce(paused.paused_before_due_seconds, 0) as seconds_to_due,
        clocked.start_reading + seconds_to_due as due_reading
    from clocked
    left join paused
        on clocked.account_id = paused.account_id
        and clocked.object = paused.object
        and clocked.unique_id = paused.unique_id
        and clocked.policy_id = paused.policy_id
        and clocked.cycle_number = paused.cycle_number
        and clocked.application_number = paused.application_number
),

due as (
    select
        running.*,
        case
            when running.is_paused then null
            when running.is_in_business_hours then {{ business_due_at('in_hours', 'running.due_reading') }}
            else running.started_at + to_seconds(running.seconds_to_due)
        end as due_at,
        running.run_seconds > running.target_seconds as is_overrun
    from running
    {{ business_due('in_hours', 'running.account_id', 'running.schedule_id', 'running.due_reading') }}
)

select
    account_id,
    object,
    unique_id,
    policy_id,
    cycle_number,
    application_number,
    metric,
    target_seconds,
    clock,
    schedule_id,
    topic_id,
    channel,
    priority,
    started_at,
    applied_at,
    ended_at,
    end_reason,
    case when ended_at is not null then run_seconds end as elapsed_seconds,
    paused_seconds,
    due_at,
    case when is_overrun then greatest(due_at, applied_at) end as breached_at,
    case when is_overrun or ended_at is not null then is_overrun end as is_breached,
    ended_at is null and coalesce(not is_overrun, false) as is_active,
    coalesce(is_overrun or ended_at is not null, false)
    and is_clock_known
    and end_reason not in ('superseded', 'cancelled') as is_counted,
    case when ended_at is null and not is_overrun then due_at end as forecast_breach_at,
    is_start_known,
    is_clock_known,
    ended_at is null and is_paused as is_paused,
    due_at is not null or is_paused or not is_clock_known as is_within_horizon
from due
