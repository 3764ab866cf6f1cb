-- How many different people did each team serve per month, and how fast was its first reply?
-- Different authors and items are counted anew, because those of days do not add up.
with memberships as (
    select
        account_id,
        team_id,
        agent_id,
        case when valid_from = min(valid_from) over (partition by account_id) then {{ before_all_time() }} else valid_from end
            as valid_from,
        coalesce(valid_to, 'infinity'::timestamptz) as valid_to
    from {{ ref('bridge_team_members') }}
)

select
    actions.account_id,
    teams.team_name,
    cast(date_trunc('month', actions.action_date) as date) as month_start_date,
    count(*) as action_count,
    count(distinct actions.unique_id) as mentions_handled_count,
    count(distinct mentions.author_id) filter (where actions.is_reply) as authors_serviced_count,
    round(quantile_cont(mentions.first_human_response_seconds, 0.5) filter (
        where actions.is_reply
        and actions.action_at = mentions.first_human_reply_at
        and actions.agent_id = mentions.first_human_reply_agent_id
    ) / 60, 1) as first_reply_p50_minutes
from {{ ref('fct_mention_actions') }} as actions
inner join {{ ref('fct_mentions') }} as mentions
    on actions.account_id = mentions.account_id
    and actions.unique_id = mentions.unique_id
inner join memberships
    on actions.account_id = memberships.account_id
    and actions.agent_id = memberships.agent_id
    and actions.action_at >= memberships.valid_from
    and actions.action_at < memberships.valid_to
inner join {{ ref('dim_teams') }} as teams
    on memberships.account_id = teams.account_id
    and memberships.team_id = teams.team_id
where not actions.is_deleted and not actions.is_own and actions.action_type is distinct from 'like'
group by actions.account_id, teams.team_name, month_start_date
order by actions.account_id, month_start_date, teams.team_name
