{{ config(materialized='table') }}
-- One row per account, measure, segment and day for which the API has a number of its own: theirs, ours, and why not.
{%- set means = {
    'response_time': 'response_seconds',
    'resolve_time': 'resolve_seconds',
    'assign_time': 'first_assignment_seconds',
    'first_action_time': 'first_action_seconds',
} %}

-- A day of the API's ends where its next begins; the last has been counted up to when it was asked.
with statistics as (
    select
        account_id,
        definition,
        segment,
        bucket_start_at,
        value,
        unit,
        asked_to_at,
        _loaded_at as asked_at
    from {{ ref('stg_statistics') }}
    where grouping = 'day'
),

buckets as (
    select
        account_id,
        bucket_start_at,
        least(
            coalesce(lead(bucket_start_at) over (partition by account_id order by bucket_start_at), 'infinity'::timestamptz),
            max(asked_to_at)
        ) as bucket_end_at
    from statistics
    group by account_id, bucket_start_at
),

-- Once for each date of UTC that a day reaches into: an instant is looked up on its date.
days as (
    select
        *,
        cast(unnest(generate_series(
            {{ utc_date('bucket_start_at') }}, {{ utc_date('bucket_end_at') }}, interval 1 day
        )) as date) as utc_date
    from buckets
),

items as (
    select
        mentions.account_id,
        'mention' as object,
        days.bucket_start_at,
        mentions.added_at,
        mentions.topic_id,
        case when mentions.is_own then 'sent' else mentions.status end as segment_of_status,
        mentions.sentiment,
        mentions.channel_category,
        -- Where publication is not passed on, the API's own value is all there is.
        coalesce(mentions.first_response_seconds, mentions.api_response_time_seconds) as response_seconds,
        coalesce(mentions.resolve_seconds, mentions.api_resolve_time_seconds) as resolve_seconds,
        mentions.first_assignment_seconds,
        mentions.first_action_seconds,
        staged._loaded_at as read_at,
        mentions.published_at is null and mentions.first_action_at is not null as has_unknown_time,
        mentions.is_negative_interval
    from {{ ref('fct_mentions') }} as mentions
    inner join {{ ref('stg_mentions') }} as staged
        on mentions.account_id = staged.account_id
        and mentions.unique_id = staged.unique_id
    inner join days
        on mentions.account_id = days.account_id
        and {{ utc_date('mentions.added_at') }} = days.utc_date
        and mentions.added_at >= days.bucket_start_at
        and mentions.added_at < days.bucket_end_at
    where not mentions.is_deleted
    union all by name
    select
        cases.account_id,
        'case' as object,
        days.bucket_start_at,
        cases.added_at,
        cases.topic_id,
        staged._loaded_at as read_at
    from {{ ref('fct_cases') }} as cases
    inner join {{ ref('stg_cases') }} as staged
        on cases.account_id = staged.account_id
        and cases.unique_id = staged.unique_id
    inner join days
        on cases.account_id = days.account_id
        and {{ utc_date('cases.added_at') }} = days.utc_date
        and cases.added_at >= days.bucket_start_at
        and cases.added_at < days.bucket_end_at
    where not cases.is_deleted
),

counted as (
{%- for definition, object, segment in [
    ('mentions', 'mention', "'all'"),
    ('mentions_by_status', 'mention', 'segment_of_status'),
    ('mentions_by_sentiment', 'mention', 'sentiment'),
    ('mentions_by_topic', 'mention', 'topic_id'),
    ('mentions_by_source_category', 'mention', 'channel_category'),
    ('cases', 'case', "'all'"),
] %}
    select
        account_id,
        '{{ definition }}' as definition,
        {{ segment }} as segment,
        bucket_start_at,
        cast(count(*) as double) as ours,
        max(read_at) as read_at,
        false as has_unknown_time,
        false as has_negative_interval
    from items
    where object = '{{ object }}' and {{ segment }} is not null
    group by all
    union all
{%- endfor %}
{%- for definition, column in means.items() %}
{%- for suffix, segment in [('', "'all'"), ('_by_topic', 'topic_id')] %}
    select
        account_id,
        '{{ definition ~ suffix }}' as definition,
        {{ segment }} as segment,
        bucket_start_at,
        avg({{ column }}) as ours,
        max(read_at) as read_at,
        {% if column in ('response_seconds', 'resolve_seconds') -%} false {%- else -%} bool_or(has_unknown_time) {%- endif %}
            as has_unknown_time,
        bool_or(is_negative_interval) as has_negative_interval
    from items
    where object = 'mention'
    group by all
    {%- if not loop.last %}
    union all
    {%- endif %}
{%- endfor %}
    {{- '\n    union all' if not loop.last }}
{%- endfor %}
),

compared_statistics as (
    select
        coalesce(statistics.account_id, counted.account_id) as account_id,
        'statistics' as compared_with,
        coalesce(statistics.definition, counted.definition) as measure,
        coalesce(statistics.segment, counted.segment) as segment,
        coalesce(statistics.bucket_start_at, counted.bucket_start_at) as day_start_at,
        coalesce(
            statistics.unit,
            case
                when counted.definition = 'cases' then 'cases'
                when starts_with(counted.definition, 'mentions') then 'mentions'
                else 'seconds'
            end
        ) as unit,
        statistics.value as theirs,
        -- A count of nothing is 0; a mean of nothing is none.
        coalesce(counted.ours, case when statistics.unit in ('mentions', 'cases') then 0 end) as ours,
        statistics.asked_at,
        counted.read_at,
        coalesce(counted.has_unknown_time, false) as has_unknown_time,
        coalesce(counted.has_negative_interval, false) as has_negative_interval,
        statistics.definition is not null and statistics.definition not in (
            'mentions', 'mentions_by_status', 'mentions_by_sentiment', 'mentions_by_topic',
            'mentions_by_source_category', 'cases'
            {%- for definition in means %},
            '{{ definition }}', '{{ definition }}_by_topic'
            {%- endfor %}
        ) as is_of_ones_own
    from statistics
    full join counted
        on statistics.account_id = counted.account_id
        and statistics.definition = counted.definition
        and statistics.segment = counted.segment
        and statistics.bucket_start_at = counted.bucket_start_at
    where
        -- A definition that is not asked, or a mean of nothing on both sides, is no comparison.
        (statistics.definition is not null or counted.definition in (select asked.definition from statistics as asked))
        and not (statistics.value is null and counted.ours is null)
),

judged_statistics as (
    select
        *,
        -- The API rounds to a hundredth.
        coalesce(abs(theirs - ours) < 0.01, false) as is_equal
    from compared_statistics
),

-- Timestamps: the API's times of each mention and case, by the day on which it was added.
judged_timestamps as (
    select
        *,
        {{ first_instant_of('cast(added_date as timestamp)', "'" ~ var('reporting_time_zone') ~ "'") }} as day_start_at,
        theirs_seconds_sum / nullif(both_count, 0) as theirs,
        ours_seconds_sum / nullif(both_count, 0) as ours
    from {{ ref('int_compared_times') }}
)

select
    account_id,
    compared_with,
    measure,
    segment,
    day_start_at,
    unit,
    theirs,
    ours,
    ours - theirs as difference,
    cast(1 as bigint) as compared_count,
    cast(is_equal as bigint) as equal_count,
    cast(is_equal as double) as equal_share,
    case
        when is_equal then null
        when is_of_ones_own then 'a definition of your own: nothing to compare it with'
        when read_at > asked_at then 'mentions were read again after the number was asked for'
        when has_unknown_time then 'the API reckons from publication times that it does not pass on'
        when has_negative_interval then 'an action before publication is 0 here, and left out or negative there'
        else 'not known'
    end as reason
from judged_statistics
union all
select
    account_id,
    'timestamps' as compared_with,
    measure,
    'all' as segment,
    day_start_at,
    'seconds' as unit,
    theirs,
    ours,
    ours - theirs as difference,
    compared_count,
    equal_count,
    equal_count / compared_count as equal_share,
    case
        when equal_count = compared_count then null
        when unknown_time_count = compared_count - equal_count
            then 'publication is not passed on, so only the API can tell'
        when negative_count = different_count and only_theirs_count = 0 and different_count > 0
            then 'an action before publication is 0 here, and negative there'
        when contradicted_count = different_count and only_theirs_count = 0 and different_count > 0
            then 'a status changed without an action'
        when measure like '%business_hours' and different_count = 0
            then 'a part is in the hours of somebody without a schedule, which the API leaves out'
        when measure like '%business_hours'
            then 'the schedule is not the same: holidays that the API does not tell, rules of your own, or hours before the first reading'
        else 'not known'
    end as reason
from judged_timestamps
