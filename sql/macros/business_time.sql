{#-
    Business time. A schedule's clock runs only within its hours: int_business_clock has, for each piece of time in which
    it runs or stands, how far it had run before. What has gone by between two instants is the difference of two readings
    of that clock, and when a number of seconds is used up is the reading looked up backwards: both without a limit of
    length.
-#}

{#- What a model joins to read a clock: `from ... {{ business_clock('at_start', account, schedule, instant) }}`. -#}
{% macro business_clock(name, account_id, schedule_id, instant) -%}
    left join {{ ref('int_business_clock') }} as {{ name }}
        on {{ account_id }} = {{ name }}.account_id
        and {{ schedule_id }} = {{ name }}.schedule_id
        and {{ utc_date(instant) }} = {{ name }}.utc_date
        and {{ instant }} >= {{ name }}.starts_at
        and {{ instant }} < {{ name }}.ends_at
{%- endmacro %}

{#- Business seconds that a joined clock had run by an instant; null when nobody knows the schedule or the instant. -#}
{% macro business_seconds_until(name, instant) -%}
    ({{ name }}.seconds_before + case
        when {{ name }}.is_running then (epoch_us({{ instant }}) - epoch_us({{ name }}.starts_at)) // 1000000 else 0
    end)
{%- endmacro %}

{#-
    Business seconds between two instants, whose clocks are joined, as bigint: null when the schedule or an instant is
    unknown, 0 outside hours and when the second instant is earlier.
-#}
{% macro business_seconds_between(start_clock, starts_at, end_clock, ends_at) -%}
    case
        -- `greatest` passes over nulls.
        when {{ start_clock }}.seconds_before is not null and {{ end_clock }}.seconds_before is not null
            then greatest(
                {{ business_seconds_until(end_clock, ends_at) }} - {{ business_seconds_until(start_clock, starts_at) }}, 0
            )
    end
{%- endmacro %}

{#-
    What a model joins to find when a clock will have run so many seconds. Stretches without length never use up any.
-#}
{% macro business_due(name, account_id, schedule_id, reading) -%}
    asof left join (select * from {{ ref('int_business_intervals') }} where stretch_seconds > 0) as {{ name }}
        on {{ account_id }} = {{ name }}.account_id
        and {{ schedule_id }} = {{ name }}.schedule_id
        and {{ reading }} > {{ name }}.seconds_before
{%- endmacro %}

{#-
    The first instant at which a clock, joined by `business_due`, has run so many seconds; null when the schedule is
    unknown or the hours of the horizon do not suffice.
-#}
{% macro business_due_at(name, reading) -%}
    case
        when {{ reading }} - {{ name }}.seconds_before <= {{ name }}.stretch_seconds
            then {{ name }}.starts_at + to_seconds({{ reading }} - {{ name }}.seconds_before)
    end
{%- endmacro %}

{#- What four digits of local time are, from 0000 to 2400. -#}
{% macro four_digits() -%} '([01][0-9]|2[0-3])[0-5][0-9]|2400' {%- endmacro %}

{#- Minutes since midnight of four digits of local time, such as 0930; null of anything else. -#}
{% macro minute_of_day(clock) -%}
    case
        when regexp_full_match({{ clock }}, {{ four_digits() }})
            then cast(left({{ clock }}, 2) as integer) * 60 + cast(right({{ clock }}, 2) as integer)
    end
{%- endmacro %}

{#-
    The instant of a local time in a zone. Where clocks go back, a time is shown twice: the database takes the second,
    and this the first, which the zone's rules of the day before give. A time that is skipped is as much later as
    the clock jumps.
-#}
{% macro first_instant_of(local, zone) -%}
    {%- set by_rules_of_the_day_before -%}
        timezone('UTC', ({{ local }}) - (
            timezone({{ zone }}, timezone({{ zone }}, {{ local }}) - interval 1 day)
            - timezone('UTC', timezone({{ zone }}, {{ local }}) - interval 1 day)
        ))
    {%- endset -%}
    case
        when timezone({{ zone }}, {{ by_rules_of_the_day_before }}) = {{ local }} then {{ by_rules_of_the_day_before }}
        else timezone({{ zone }}, {{ local }})
    end
{%- endmacro %}

{% macro before_all_time() -%} timestamptz '0001-01-01 00:00:00+00' {%- endmacro %}

{#-
    Seconds that the clock of a row had run by an instant, whichever it is: the business clock, which is joined, or the
    calendar. Null when nobody knows the row's schedule.
-#}
{% macro clock_reading(relation, name, instant) -%}
    case
        when {{ relation }}.is_in_business_hours then {{ business_seconds_until(name, instant) }}
        else epoch_us({{ instant }}) // 1000000
    end
{%- endmacro %}
