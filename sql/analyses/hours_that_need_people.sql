-- In which hours of the week do customers write and nobody acts?
-- Mentions per weekday and hour against actions of people in the same hour, both per such weekday.
with hours as (
    select account_id, iso_weekday, hour_of_day, date_count, mention_count
    from {{ ref('rpt_volume_by_hour_and_weekday') }}
    where level = 'total'
),

actions as (
    select
        account_id,
        isodow(timezone('{{ var("reporting_time_zone") }}', action_at)) as iso_weekday,
        hour(timezone('{{ var("reporting_time_zone") }}', action_at)) as hour_of_day,
        count(*) as action_count,
        count(*) filter (where is_reply) as reply_count
    from {{ ref('fct_mention_actions') }}
    where actor_kind = 'human' and not is_deleted and action_at is not null
    group by all
)

select
    hours.account_id,
    hours.iso_weekday,
    hours.hour_of_day,
    round(hours.mention_count / nullif(hours.date_count, 0), 2) as mention_mean_count,
    round(coalesce(actions.action_count, 0) / nullif(hours.date_count, 0), 2) as action_mean_count,
    round(coalesce(actions.reply_count, 0) / nullif(hours.date_count, 0), 2) as reply_mean_count
from hours
left join actions
    on hours.account_id = actions.account_id
    and hours.iso_weekday = actions.iso_weekday
    and hours.hour_of_day = actions.hour_of_day
order by mention_mean_count / greatest(action_mean_count, 0.01) desc nulls last, hours.account_id, hours.iso_weekday, hours.hour_of_day
