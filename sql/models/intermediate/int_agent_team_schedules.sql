{{ config(tags='in_fingerprint') }}
-- One row per account, user and stretch of time in which a schedule is assigned to one of the user's teams: half-open,
-- never two at once. Of several teams of one user with a schedule, the one with the first id counts.
with memberships as (
    select members.*, hours.schedule_id
    from ({{ team_memberships() }}) as members
    inner join {{ assigned_hours('team') }} as hours
        on members.account_id = hours.account_id
        and members.team_id = hours.scope_id
),

borders as (
    select account_id, agent_id, valid_from as border from memberships
    union
    select account_id, agent_id, valid_to as border from memberships
),

stretches as (
    select
        account_id,
        agent_id,
        border as valid_from,
        lead(border) over (partition by account_id, agent_id order by border) as valid_to
    from borders
)

select
    stretches.account_id,
    stretches.agent_id,
    stretches.valid_from,
    stretches.valid_to,
    arg_min(memberships.schedule_id, memberships.team_id) as schedule_id
from stretches
inner join memberships
    on stretches.account_id = memberships.account_id
    and stretches.agent_id = memberships.agent_id
    and stretches.valid_from >= memberships.valid_from
    and stretches.valid_to <= memberships.valid_to
group by all
