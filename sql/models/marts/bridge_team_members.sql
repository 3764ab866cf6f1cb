{{ config(tags='in_fingerprint') }}
-- One row per account, team, user and spell of membership.
with versions as (
    select
        account_id,
        team_id,
        user_id as agent_id,
        valid_from,
        coalesce(valid_to, 'infinity'::timestamptz) as valid_to
    from {{ ref('stg_team_member_versions') }}
    where user_id is not null
),

-- A new name or role of a user ends one version and begins the next at the same instant: the membership goes on.
marked as (
    select
        *,
        coalesce(
            valid_from <= max(valid_to) over (
                partition by account_id, team_id, agent_id
                order by valid_from
                rows between unbounded preceding and 1 preceding
            ),
            false
        ) as goes_on
    from versions
),

numbered as (
    select
        *,
        count(*) filter (where not goes_on) over (
            partition by account_id, team_id, agent_id
            order by valid_from
        ) as spell_number
    from marked
)

select
    account_id,
    team_id,
    agent_id,
    min(valid_from) as valid_from,
    nullif(max(valid_to), 'infinity'::timestamptz) as valid_to
from numbered
group by account_id, team_id, agent_id, spell_number
