{{ incremental_by_difference([
    'account_id', 'mention_date', 'topic_id', 'channel', 'sentiment', 'reporting_time_zone',
]) }}
-- One row per account, date, topic, channel and sentiment with a mention.
select
    account_id,
    mention_date,
    topic_id,
    channel,
    {{ or_unknown('sentiment') }} as sentiment,
    reporting_time_zone,
    {{ mention_sums() }}
from {{ weighted(ref('fct_mentions')) }}
where not is_deleted and mention_date is not null
group by account_id, mention_date, topic_id, channel, {{ or_unknown('sentiment') }}, reporting_time_zone
