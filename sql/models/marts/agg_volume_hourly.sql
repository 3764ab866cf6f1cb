{{ incremental_by_difference([
    'account_id', 'mention_date', 'hour_of_day', 'iso_weekday', 'topic_id', 'channel', 'reporting_time_zone',
]) }}
-- One row per account, date, hour of the day, topic and channel with a mention.
with mentions as (
    select
        mentions.weight,
        mentions.account_id,
        mentions.topic_id,
        mentions.channel,
        mentions.is_own,
        mentions.mention_at,
        mentions.mention_date,
        mentions.reporting_time_zone,
        hour(timezone('{{ var("reporting_time_zone") }}', mentions.mention_at)) as hour_of_day,
        coalesce(of_topics.schedule_id, of_accounts.schedule_id) as schedule_id
    from {{ weighted(ref('fct_mentions')) }} as mentions
    left join {{ assigned_hours('topic') }} as of_topics
        on mentions.account_id = of_topics.account_id
        and mentions.topic_id = of_topics.scope_id
    left join {{ assigned_hours('account') }} as of_accounts
        on mentions.account_id = of_accounts.account_id
    where not mentions.is_deleted and mentions.mention_at is not null
),

timed as (
    select mentions.*, at_mention.is_running as is_in_business_hours
    from mentions
    {{ business_clock('at_mention', 'mentions.account_id', 'mentions.schedule_id', 'mentions.mention_at') }}
)

select
    account_id,
    mention_date,
    hour_of_day,
    isodow(mention_date) as iso_weekday,
    topic_id,
    channel,
    reporting_time_zone,
    {{ counted('not is_own') }} as mention_count,
    {{ counted('is_own') }} as own_mention_count,
    {{ counted('not is_own and is_in_business_hours is not null') }} as business_hours_known_count,
    {{ counted('not is_own and is_in_business_hours') }} as in_business_hours_count
from timed
group by account_id, mention_date, hour_of_day, topic_id, channel, reporting_time_zone
