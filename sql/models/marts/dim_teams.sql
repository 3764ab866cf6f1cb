-- One row per account and team ever listed, as it was last listed.
with latest as (
    select *
    from {{ ref('stg_team_versions') }}
    qualify row_number() over (partition by account_id, team_id order by valid_from desc) = 1
),

members as (
    select account_id, team_id, count(*) as member_count
    from {{ ref('bridge_team_members') }}
    where valid_to is null
    group by account_id, team_id
)

select
    latest.account_id,
    latest.team_id,
    latest.name as team_name,
    latest.is_shown_in_team_performance,
    latest.added_at,
    latest.updated_at,
    latest.valid_to is null as is_listed,
    latest.valid_to as gone_at,
    coalesce(members.member_count, 0) as member_count
from latest
left join members
    on latest.account_id = members.account_id
    and latest.team_id = members.team_id
