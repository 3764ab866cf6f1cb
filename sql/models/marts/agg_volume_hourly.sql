-- One row per account, date, hour of the day, topic and channel with a mention.
with mentions as (
    select
        mentions.account_id,
        mentions.topic_id,
        mentions.channel,
        mentions.is_own,
        mentions.item_at,
        timezone('{{ var("reporting_time_zone") }}', mentions.item_at) as local_at,
        coalesce(of_topics.schedule_id, of_accounts.schedule_id) as schedule_id
    from {{ ref('int_items') }} as mentions
    left join {{ assigned_hours('topic') }} as of_topics
        on mentions.account_id = of_topics.account_id
        and mentions.topic_id = of_topics.scope_id
    left join {{ assigned_hours('account') }} as of_accounts
        on mentions.account_id = of_accounts.account_id
    where mentions.object = 'mention' and mentions.deleted_at is null and mentions.item_at is not null
),

timed as (
    select mentions.*, at_mention.is_running as is_in_business_hours
    from mentions
    {{ business_clock('at_mention', 'mentions.account_id', 'mentions.schedule_id', 'mentions.item_at') }}
)

select
    account_id,
    cast(local_at as date) as mention_date,
    hour(local_at) as hour_of_day,
    any_value(isodow(local_at)) as iso_weekday,
    topic_id,
    channel,
    '{{ var("reporting_time_zone") }}' as reporting_time_zone,
    count(*) filter (where not is_own) as mention_count,
    count(*) filter (where is_own) as own_mention_count,
    count(is_in_business_hours) filter (where not is_own) as business_hours_known_count,
    count(*) filter (where not is_own and is_in_business_hours) as in_business_hours_count
from timed
group by account_id, cast(local_at as date), hour(local_at), topic_id, channel
