"""Every number of the dashboard: its SQL on the marts of the published copy, its filters, and what it is in words.

A query's SQL says in braces what its rows are chosen by: `{mentions}` stands for the conditions on `fct_mentions` that
the viewer's filters make, with parameters for their values. What a source has no condition for, its queries are not
filtered by, and the page says so. The pages on the state of the data read `history` too, where runs and drift are kept.

Days are those of the reporting time zone. Facts have instants, so queries of nothing but facts can cut them elsewhere;
sums by day cannot be moved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

from pipelines.dashboard.filters import LISTS, ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from pipelines.dashboard.filters import Filters

DATES = "dates"
"""Name of the filter by first and last date."""

_ACCOUNT = "account_id in (select unnest($account))"
_PROJECT = (
    "(account_id, topic_id) in (select (account_id, topic_id) from marts.dim_topics"
    " where project_id in (select unnest($project)))"
)
_TOPIC = "topic_id in (select unnest($topic))"
_CHANNEL = "channel in (select unnest($channel))"
_TEAM = "team_id in (select unnest($team))"
_TAG = "tag in (select unnest($tag))"


def _dates(column: str) -> str:
    return f"{column} between $first_date and $last_date"


_OF_MENTION = {
    "account": _ACCOUNT,
    "project": _PROJECT,
    "topic": _TOPIC,
    "channel": _CHANNEL,
    "team": "(account_id, unique_id) in (select (account_id, unique_id) from marts.fct_assignments"
    " where object = 'mention' and assignee_type = 'team' and assignee_id in (select unnest($team)))",
    "tag": f"(account_id, unique_id) in (select (account_id, unique_id) from marts.bridge_mention_tags where {_TAG})",
}
_OF_PLACE = {"account": _ACCOUNT, "project": _PROJECT, "topic": _TOPIC, "channel": _CHANNEL}
_OF_CASE = {
    "account": _ACCOUNT,
    "project": _PROJECT,
    "topic": _TOPIC,
    "team": _OF_MENTION["team"].replace("'mention'", "'case'"),
}

SOURCES: Mapping[str, Mapping[str, str]] = {
    "mentions": {DATES: _dates("mention_date"), **_OF_MENTION},
    "mentions_of_any_date": _OF_MENTION,
    "actions": {DATES: _dates("action_date"), **_OF_MENTION},
    "places_of_any_date": _OF_PLACE,
    "channel_days": {DATES: _dates("mention_date"), **_OF_PLACE},
    "tag_days": {DATES: _dates("mention_date"), "account": _ACCOUNT, "tag": _TAG},
    "backlog": {DATES: _dates("backlog_date"), **_OF_PLACE},
    "cases": {DATES: _dates("case_date"), **_OF_CASE},
    "work_of_agents": {
        DATES: _dates("action_date"),
        "account": _ACCOUNT,
        "team": "(account_id, agent_id) in"
        " (select (account_id, agent_id) from marts.bridge_team_members where team_id in (select unnest($team)))",
    },
    "work_of_teams": {DATES: _dates("action_date"), "account": _ACCOUNT, "team": _TEAM},
    "targets": {DATES: _dates("started_date"), **_OF_PLACE},
    "answers": {DATES: _dates("answer_date"), **_OF_PLACE},
    "changes": {DATES: _dates("change_date"), "account": _ACCOUNT, "project": _PROJECT, "topic": _TOPIC},
    "security_events": {DATES: _dates("event_date"), "account": _ACCOUNT},
    "compared_days": {DATES: _dates("timezone('UTC', day_start_at)::date"), "account": _ACCOUNT},
}
"""By name, what rows can be chosen by, and the condition on them."""

_FACTS = {
    "mentions": ("marts.fct_mentions", "mention_date", "mention_at"),
    "actions": ("marts.fct_mention_actions", "action_date", "action_at"),
    "cases": ("marts.fct_cases", "case_date", "case_at"),
}
"""By name, sources whose days can be cut in any zone: the table, its date, and the instant that is of it."""
ZONE_SPAN_DAYS = 2
"""No date of one zone is further from that of another at the same instant: they are 26 hours apart at most."""


def _in_zone(table: str, day: str, instant: str) -> str:
    """The table with its days cut in `$zone`. Of days that cannot be among the chosen ones, no instant is looked at."""
    return (
        f"(select * replace (cast(timezone($zone, {instant}) as date) as {day}, $zone as reporting_time_zone)"
        f" from {table} where {day} between cast($first_date as date) - {ZONE_SPAN_DAYS}"
        f" and cast($last_date as date) + {ZONE_SPAN_DAYS})"
    )


@dataclass(frozen=True)
class Query:
    """One table of numbers, behind one chart.

    Attributes:
        name: of the query, unique; the file name of its CSV.
        title: above its chart.
        definition: what the numbers are, and what is left out.
        metrics: the heading of docs/metrics.md under which they are defined; None for what is no metric.
        sql: with the names of its sources in braces.
        needs: a table that a copy may lack; without it there are no rows.
    """

    name: str
    title: str
    definition: str
    sql: str
    metrics: str | None = None
    needs: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources that it chooses rows of."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.sql) if name)

    @property
    def filters(self) -> tuple[str, ...]:
        """Names of the filters that all its numbers follow."""
        return tuple(
            name for name in (DATES, *LISTS) if self.sources and all(name in SOURCES[source] for source in self.sources)
        )

    @property
    def follows_zone(self) -> bool:
        """Whether its days can be those of any zone."""
        return bool(self.sources) and all(source in _FACTS for source in self.sources)

    def statement(self, filters: Filters) -> tuple[str, dict[str, Any]]:
        """The SQL to execute for what is chosen, and its parameters."""
        chosen = {name: list(values) for name in LISTS if (values := filters.values(name))}
        asked = [name for name in self.filters if name == DATES or name in chosen]
        conditions = {
            source: " and ".join(SOURCES[source][name] for name in asked) or "true" for source in self.sources
        }
        parameters: dict[str, Any] = {name: chosen[name] for name in asked if name != DATES}
        if DATES in asked:
            parameters |= {"first_date": filters.first_date, "last_date": filters.last_date}
        sql = self.sql
        if filters.zone is not None and self.follows_zone:
            parameters[ZONE] = filters.zone
            for fact in map(_FACTS.__getitem__, self.sources):
                sql = re.sub(rf"{re.escape(fact[0])}\b", _in_zone(*fact), sql)
        return sql.format_map(conditions), parameters

    def not_followed(self, filters: Filters) -> tuple[str, ...]:
        """Names of the filters that are chosen and do not change its numbers."""
        is_of_other_days = filters.zone is not None and DATES in self.filters and not self.follows_zone
        chosen = (name for name in LISTS if filters.values(name) and name not in self.filters)
        return (*chosen, *((ZONE,) if is_of_other_days else ()))


_ZONE = """coalesce(
    (select any_value(reporting_time_zone) from marts.agg_volume_hourly),
    (select any_value(reporting_time_zone) from marts.agg_backlog_daily),
    'UTC'
  )"""


def _named(what: str) -> str:
    """The names of a dimension's rows: where several have one name, with account and identifier."""
    return f"""(
  select
    account_id,
    {what}_id,
    {what}_name || case when count(*) over (partition by {what}_name) > 1
      then ' (' || account_id || ', ' || {what}_id || ')' else ''
    end as {what}_name
  from marts.dim_{what}s
) as {what}s"""


_NOW = f"""told as (
  select version, published_at, coalesce(as_of, published_at) as as_of, {_ZONE} as reporting_time_zone, package_version
  from marts.published_version
),
now_there as (
  select
    *,
    cast(timezone(reporting_time_zone, as_of) as date) as today,
    hour(timezone(reporting_time_zone, as_of)) as hour_now
  from told
)"""

FRESHNESS = Query(
    "freshness",
    "How fresh the data is",
    "The published version: when it was published, the instant that open items and ages are reckoned to, and the time"
    " zone in which days are days.",
    f"with {_NOW} select * from now_there",
)
"""Which version this is, and which date is today's in it."""

CHOICES = Query(
    "choices",
    "What can be chosen",
    "Values of the filters.",
    """
select 'account' as filter, account_id as value, account_id as label, null as account_id from marts.agg_account_summary
union all
select 'project', project_id, coalesce(max(project_name), project_id), account_id
from marts.dim_topics
where project_id is not null
group by account_id, project_id
union all
select 'topic', topic_id, coalesce(topic_name, topic_id), account_id from marts.dim_topics
union all
select distinct 'channel', channel, channel, null from marts.dim_channels
union all
select 'team', team_id, coalesce(team_name, team_id), account_id from marts.dim_teams
union all
select distinct 'tag', tag, tag, null from marts.dim_tags
order by all
""",
)
"""The values of each filter, with names for people."""

# --- Overview ---

OVERVIEW_TOTALS = Query(
    "overview_totals",
    "The period",
    "Mentions of customers, by when they were published: how many, how many have a reply and a resolve, and the medians"
    " of first response and resolve times, in seconds. Own and deleted mentions are left out. A period that begins"
    " before the first date with data is not whole: what there is of it is counted, but nothing is compared with it.",
    """
select
  count(*) as mention_count,
  count(*) filter (where has_reply) as replied_count,
  replied_count / nullif(mention_count, 0) as replied_share,
  count(*) filter (where has_resolve) as resolved_count,
  resolved_count / nullif(mention_count, 0) as resolved_share,
  quantile_cont(first_response_seconds, 0.5) as first_response_p50_seconds,
  quantile_cont(first_response_business_hours_seconds, 0.5) as first_response_business_hours_p50_seconds,
  quantile_cont(resolve_seconds, 0.5) as resolve_p50_seconds,
  coalesce($first_date >= (select min(mention_date) from marts.agg_volume_hourly), false) as is_whole_period
from marts.fct_mentions
where is_in_response_metrics and {mentions}
""",
    "Times from publication",
)


def to_compare_with(totals: pd.Series[Any]) -> pd.Series[Any]:
    """The totals of a period as they can be compared with: nothing, where the data begins within it or after it.

    Args:
        totals: the row of OVERVIEW_TOTALS.
    """
    return totals if totals["is_whole_period"] else totals.map(lambda _: None)


OPEN_NOW = Query(
    "open_now",
    "Open now",
    "Mentions and cases of customers that are not resolved, at the instant of the data: how many, with no agent, with"
    " no reply, and the age of the oldest in seconds. Dates do not matter here.",
    """
with items as (
  select 'mention' as object, account_id, is_owned, has_reply, mention_at as item_at
  from marts.fct_mentions
  where is_in_response_metrics and status <> 'done' and {mentions_of_any_date}
  union all
  select 'case', account_id, is_owned, has_reply, case_at
  from marts.fct_cases
  where is_in_response_metrics and status <> 'done' and {places_of_any_date}
)
select
  object,
  count(*) as open_count,
  count(*) filter (where not is_owned) as unassigned_count,
  count(*) filter (where not has_reply) as unreplied_count,
  epoch_us(any_value(as_of)) // 1000000 - epoch_us(min(item_at)) // 1000000 as oldest_age_seconds
from items
inner join marts.agg_account_summary using (account_id)
group by object
order by object desc
""",
    "People, teams, channels, tags, volume and backlog",
)

TODAY_BY_HOUR = Query(
    "today_by_hour",
    "Today against the usual",
    "Mentions of customers that came in today, by hour of the reporting zone, beside the mean of the same"
    " weekday in the"
    " four weeks before, as far as there is data. The hour that goes on is not whole. Dates do not matter here.",
    f"""
with {_NOW},
chosen as (
  select * from marts.agg_volume_hourly where {{places_of_any_date}}
),
usual_days as (
  select today - cast(weeks_ago * 7 as integer) as usual_date
  from now_there, unnest(range(1, 5)) as weeks (weeks_ago)
  where usual_date >= (select min(mention_date) from marts.agg_volume_hourly)
),
hours as (
  select hour_of_day, today, hour_now
  from now_there, unnest(range(24)) as hours (hour_of_day)
)
select
  hours.hour_of_day,
  case when hours.hour_of_day <= any_value(hours.hour_now)
    then cast(coalesce(sum(chosen.mention_count) filter (where chosen.mention_date = hours.today), 0) as bigint)
  end as today_count,
  hours.hour_of_day < any_value(hours.hour_now) as is_whole_hour,
  coalesce(sum(chosen.mention_count) filter (where chosen.mention_date in (select usual_date from usual_days)), 0)
  / nullif((select count(*) from usual_days), 0) as usual_mean_count
from hours
left join chosen on hours.hour_of_day = chosen.hour_of_day
group by hours.hour_of_day
order by hours.hour_of_day
""",
    "People, teams, channels, tags, volume and backlog",
)

KEEPING_UP = Query(
    "keeping_up",
    "What came in and what was done",
    "By day: mentions of customers that came in, replies given and resolves made on their mentions on that day,"
    " whenever those came in. Own and deleted mentions are left out.",
    """
with came_in as (
  select mention_date as day, count(*) as came_in_count
  from marts.fct_mentions
  where is_in_response_metrics and {mentions}
  group by all
),
done as (
  select
    action_date as day,
    count(*) filter (where is_reply) as reply_count,
    count(*) filter (where is_resolve) as resolve_count
  from marts.fct_mention_actions
  where not is_own and not is_deleted and (is_reply or is_resolve) and {actions}
  group by all
)
select
  day,
  coalesce(came_in_count, 0) as came_in_count,
  coalesce(reply_count, 0) as reply_count,
  coalesce(resolve_count, 0) as resolve_count
from came_in
full join done using (day)
order by day
""",
    "Counts and classes",
)

# --- Response times ---

MEASURES = ("first_response", "first_human_response", "first_action", "first_assignment", "resolve")
"""Times from publication that the page on response times shows, as docs/metrics.md names them."""


def _percentiles_of(measure: str) -> str:
    seconds = [("calendar", f"{measure}_seconds"), ("business hours", f"{measure}_business_hours_seconds")]
    return "\nunion all\n".join(
        f"select '{measure}' as measure, '{clock}' as clock, count({column}) as known_count, avg({column}) as"
        f" mean_seconds,"
        f" quantile_cont({column}, 0.5) as p50_seconds, quantile_cont({column}, 0.9) as p90_seconds,"
        f" quantile_cont({column}, 0.95) as p95_seconds from chosen"
        for clock, column in seconds
    )


RESPONSE_PERCENTILES = Query(
    "response_percentiles",
    "Percentiles",
    "Seconds from publication, over all the time of the calendar and over the time within business hours: mean, median,"
    " 90th and 95th percentile, between the two nearest values. Of mentions whose publication is known and that have"
    " come so far; others have no time. Own and deleted mentions are left out.",
    """
with chosen as (
  select * from marts.fct_mentions where is_in_response_metrics and {mentions}
)
"""
    + "\nunion all\n".join(map(_percentiles_of, MEASURES)),
    "Times from publication",
)

RESPONSE_BY_DAY = Query(
    "response_by_day",
    "First response by day",
    "Median and 90th percentile of the seconds to the first reply, by the day of publication. The last days hold only"
    " what has been answered so far, so they look faster than they will be.",
    """
select
  mention_date as day,
  count(first_response_seconds) as known_count,
  quantile_cont(first_response_seconds, 0.5) as p50_seconds,
  quantile_cont(first_response_seconds, 0.9) as p90_seconds,
  quantile_cont(first_response_business_hours_seconds, 0.5) as business_hours_p50_seconds,
  quantile_cont(first_response_business_hours_seconds, 0.9) as business_hours_p90_seconds
from marts.fct_mentions
where is_in_response_metrics and {mentions}
group by all
order by day
""",
    "Times from publication",
)

BUCKETS = (
    (300, "under 5 min"),
    (900, "5 to 15 min"),
    (1_800, "15 to 30 min"),
    (3_600, "30 to 60 min"),
    (7_200, "1 to 2 h"),
    (14_400, "2 to 4 h"),
    (28_800, "4 to 8 h"),
    (86_400, "8 to 24 h"),
    (259_200, "1 to 3 days"),
    (604_800, "3 to 7 days"),
)
"""Classes of lengths: the seconds at which each ends, not in it, and its name."""
LONGEST_BUCKET = "7 days and more"
BUCKET_NAMES = (*(name for _, name in BUCKETS), LONGEST_BUCKET)


def _bucket(column: str) -> str:
    cases = " ".join(f"when {column} < {seconds} then {place}" for place, (seconds, _) in enumerate(BUCKETS))
    return f"case {cases} when {column} is not null then {len(BUCKETS)} end"


def _bucket_name(column: str) -> str:
    names = ", ".join(f"'{name}'" for name in BUCKET_NAMES)
    return f"[{names}][{column} + 1]"


RESPONSE_DISTRIBUTION = Query(
    "response_distribution",
    "Distribution of first response times",
    "How many mentions had their first reply within which time, over all the time of the calendar and within business"
    " hours. A class holds its beginning and not its end.",
    f"""
with chosen as (
  select
    {_bucket("first_response_seconds")} as calendar,
    {_bucket("first_response_business_hours_seconds")} as business_hours
  from marts.fct_mentions
  where is_in_response_metrics and {{mentions}}
),
counted as (
  select 'calendar' as clock, calendar as place, count(*) as mention_count from chosen group by all
  union all
  select 'business hours', business_hours, count(*) from chosen group by all
)
select clock, place, {_bucket_name("place")} as length, mention_count
from counted
where place is not null
order by clock, place
""",
    "Times from publication",
)


def _response_by(dimension: str, title: str, label: str, names: str = "") -> Query:
    return Query(
        f"response_by_{dimension}",
        title,
        f"Mentions of customers by {dimension}: how many, the share with a reply, and the median and 90th percentile of"
        " the seconds to the first reply. No time where publication is not passed on.",
        f"""
select
  {label} as {dimension},
  count(*) as mention_count,
  count(*) filter (where has_reply) / count(*) as replied_share,
  quantile_cont(first_response_seconds, 0.5) as p50_seconds,
  quantile_cont(first_response_seconds, 0.9) as p90_seconds,
  quantile_cont(first_response_business_hours_seconds, 0.5) as business_hours_p50_seconds
from (select * from marts.fct_mentions where is_in_response_metrics and {{mentions}}) as mentions
{names}
group by all
order by mention_count desc, {dimension}
""",
        "Times from publication",
    )


_TOPIC_NAMES = f"left join {_named('topic')} using (account_id, topic_id)"
RESPONSE_BY_TOPIC = _response_by("topic", "By topic", "coalesce(topics.topic_name, topic_id)", _TOPIC_NAMES)
RESPONSE_BY_CHANNEL = _response_by("channel", "By channel", "channel")
RESPONSE_BY_LANGUAGE = _response_by("language", "By language", "coalesce(language, 'unknown')")

RESPONSE_BY_HOUR = Query(
    "response_by_hour",
    "By hour and weekday of publication",
    "Mentions of customers by the hour and weekday, in the zone of the days, at which they were published: how many,"
    " and the median of the seconds to the first reply. Those whose publication is not passed on are not in it.",
    """
with chosen as (
  select timezone(reporting_time_zone, published_at) as local_at, first_response_seconds
  from marts.fct_mentions
  where is_in_response_metrics and published_at is not null and {mentions}
)
select
  isodow(local_at) as iso_weekday,
  any_value(dayname(local_at)) as weekday,
  hour(local_at) as hour_of_day,
  count(*) as mention_count,
  quantile_cont(first_response_seconds, 0.5) as p50_seconds
from chosen
group by isodow(local_at), hour(local_at)
order by iso_weekday, hour_of_day
""",
    "Times from publication",
)

# --- Backlog ---

BACKLOG_BY_DAY = Query(
    "backlog_by_day",
    "Open at the end of each day",
    "Mentions and cases of customers that were open when the day ended in the reporting zone, by status, and how many"
    " of them no agent had. The last day is as the data found it.",
    """
select
  backlog_date as day,
  object,
  status,
  cast(sum(open_count) as bigint) as open_count,
  cast(sum(unassigned_count) as bigint) as unassigned_count,
  sum(age_seconds_sum) / nullif(sum(open_count), 0) as mean_age_seconds
from marts.agg_backlog_daily
where {backlog}
group by all
order by day, object desc, status
""",
    "People, teams, channels, tags, volume and backlog",
)

BACKLOG_AT_END = Query(
    "backlog_at_end",
    "Open at the end",
    "Mentions and cases of customers that were open when the last date ended in the reporting zone; on the day of the"
    " data, as it found them. Not known of dates without data.",
    """
with days as (
  select min(backlog_date) as first_day, max(backlog_date) as last_day from marts.agg_backlog_daily
),
open_then as (
  select
    coalesce(sum(open_count) filter (where object = 'mention'), 0) as mention_count,
    coalesce(sum(open_count) filter (where object = 'case'), 0) as case_count
  from marts.agg_backlog_daily
  where backlog_date = $last_date and {backlog}
)
select
  case when $last_date between first_day and last_day then cast(mention_count as bigint) end as open_mention_count,
  case when $last_date between first_day and last_day then cast(case_count as bigint) end as open_case_count
from open_then
cross join days
""",
    "People, teams, channels, tags, volume and backlog",
)

AGE_OF_OPEN = Query(
    "age_of_open",
    "How old what is open is",
    "Mentions of customers that are not resolved, by how long ago they happened at the instant of the data."
    " Dates do not"
    " matter here.",
    f"""
with aged as (
  select {_bucket("epoch_us(as_of) // 1000000 - epoch_us(mention_at) // 1000000")} as place, status
  from marts.fct_mentions
  inner join marts.agg_account_summary using (account_id)
  where is_in_response_metrics and status <> 'done' and {{mentions_of_any_date}}
)
select place, {_bucket_name("place")} as age, status, count(*) as mention_count
from aged
where place is not null
group by all
order by place, status
""",
    "People, teams, channels, tags, volume and backlog",
)

OPEN_ITEM_LIMIT = 200
OPEN_ITEMS = Query(
    "open_items",
    "The oldest open items",
    f"The {OPEN_ITEM_LIMIT} mentions and cases of customers that are open for longest, with who has them and"
    f" since when the"
    " customer waits. Ages are in hours at the instant of the data. Dates do not matter here.",
    f"""
select
  object, item_at, age_hours, waiting_hours, status, priority_name as priority, topic_name as topic, channel, sentiment,
  agent_names as agents, team_names as teams, has_reply, permalink, account_id, unique_id
from marts.rpt_open_items
where {{places_of_any_date}}
order by age_hours desc, unique_id
limit {OPEN_ITEM_LIMIT}
""",
    "People, teams, channels, tags, volume and backlog",
)

# --- Agents and teams ---


def _work_of(who: str, name: str) -> str:
    return f"""
select
  {name} as {who},
  cast(sum(action_count) as bigint) as action_count,
  cast(sum(reply_count) as bigint) as reply_count,
  cast(sum(resolve_count) as bigint) as resolve_count,
  sum(undone_resolve_count) / nullif(sum(resolve_count), 0) as undone_resolve_share,
  sum(first_human_response_seconds_sum) / nullif(sum(first_human_response_known_count), 0)
    as first_human_response_mean_seconds,
  sum(first_human_response_business_hours_seconds_sum)
  / nullif(sum(first_human_response_business_hours_known_count), 0)
    as first_human_response_business_hours_mean_seconds,
  sum(in_business_hours_action_count)
  / nullif(sum(in_business_hours_action_count + out_of_business_hours_action_count), 0) as in_business_hours_share
from (select * from marts.agg_{who}s_daily where {{work_of_{who}s}}) as work
left join {_named(who)} using (account_id, {who}_id)
group by all
having sum(action_count) > 0
order by reply_count desc, {who}
"""


WORK_OF_AGENTS = Query(
    "work_of_agents",
    "Work of agents",
    "On mentions and cases, by who acted, on the day of the action: actions but likes, replies, resolves, the"
    " share of resolves"
    " undone by a reopening, the mean of the seconds to the first replies that the agent gave, and the share of"
    " actions within the agent's hours. A team stands for who is or was in it.",
    _work_of("agent", "coalesce(agents.agent_name, agent_id)"),
    "People, teams, channels, tags, volume and backlog",
)
WORK_OF_TEAMS = Query(
    "work_of_teams",
    "Work of teams",
    "The same of who was in the team at the moment of the action. Who was in two teams counts in both, so teams do not"
    " add up.",
    _work_of("team", "case team_id when 'unknown' then 'No team' else coalesce(teams.team_name, team_id) end"),
    "People, teams, channels, tags, volume and backlog",
)
WORK_BY_DAY = Query(
    "work_by_day",
    "Work of agents by day",
    "Replies and resolves of people on mentions and cases, by the day on which they gave them.",
    """
select
  action_date as day,
  cast(sum(reply_count) as bigint) as reply_count,
  cast(sum(resolve_count) as bigint) as resolve_count,
  count(distinct agent_id) filter (where action_count > 0) as agents_count
from marts.agg_agents_daily
where {work_of_agents}
group by all
having sum(action_count) > 0
order by day
""",
    "People, teams, channels, tags, volume and backlog",
)

# --- Targets ---

_ATTAINMENT = """
  cast(sum(counted_count) as bigint) as counted_count,
  cast(sum(met_count) as bigint) as met_count,
  cast(sum(breached_count) as bigint) as breached_count,
  cast(sum(active_count) as bigint) as active_count,
  sum(met_count) / nullif(sum(counted_count), 0) as attainment_share
from marts.rpt_sla_attainment
where {targets}
group by all
"""
ATTAINMENT_BY_POLICY = Query(
    "attainment_by_policy",
    "Targets met",
    "Of each policy of rules/sla_policies.csv, by the day on which its clock started: clocks that count, those"
    " met, those"
    " breached (what is open and has run out too), those that still run in time, and the share met of those that"
    " count. A clock that ran when its item was deleted counts nowhere; one that had ended by then does.",
    f"select policy_id as policy, object, metric, {_ATTAINMENT} order by policy, object, metric",
    "Targets",
)
ATTAINMENT_BY_DAY = Query(
    "attainment_by_day",
    "Targets met by day",
    "The same by the day on which the clock started.",
    f"select started_date as day, policy_id as policy, {_ATTAINMENT} order by day, policy",
    "Targets",
)
DUE_LIMIT = 200
DUE_NEXT = Query(
    "due_next",
    "Due next",
    f"The {DUE_LIMIT} running clocks that are not over their target yet and run out first, unless somebody stops them."
    " Dates do not matter here.",
    f"""
select
  coalesce(forecast_breach_at, due_at) as due_at, policy_id as policy, object, metric,
  coalesce(topic_name, topic_id) as topic,
  channel, priority, is_paused, account_id, unique_id
from (select * from marts.fct_sla_events where is_active and {{places_of_any_date}}) as events
left join marts.dim_topics using (account_id, topic_id)
order by 1, policy, unique_id
limit {DUE_LIMIT}
""",
    "Targets",
)

# --- Satisfaction ---

_SATISFACTION = """
  cast(sum(answer_count) as bigint) as answer_count,
  cast(sum(score_sum) as double) / nullif(sum(score_known_count), 0) as score_mean,
  case when any_value(survey_kind) = 'csat'
    then sum(satisfied_count) / nullif(sum(score_known_count), 0)
  end as satisfied_share,
  case when any_value(survey_kind) = 'nps'
    then 100 * (sum(promoter_count) - sum(detractor_count)) / nullif(sum(score_known_count), 0)
  end as net_promoter_score
from marts.agg_satisfaction_daily
where {answers}
group by all
"""
_SATISFACTION_DEFINITION = (
    "Answers to surveys, by the day of the answer: the mean score (csat 1 to 5, nps 0 to 10, rating as the service has"
    " it), the share of csat scores of 4 and 5, and the net promoter score. A case may repeat its mentions' answers."
)
SATISFACTION_BY_KIND = Query(
    "satisfaction_by_kind",
    "Satisfaction",
    _SATISFACTION_DEFINITION,
    f"select survey_kind, object, {_SATISFACTION} order by survey_kind, object desc",
    "Satisfaction",
)
SATISFACTION_BY_DAY = Query(
    "satisfaction_by_day",
    "Satisfaction by day",
    _SATISFACTION_DEFINITION,
    f"select answer_date as day, survey_kind, object, {_SATISFACTION} order by day, survey_kind, object desc",
    "Satisfaction",
)
SATISFACTION_BY_CHANNEL = Query(
    "satisfaction_by_channel",
    "Satisfaction by channel",
    _SATISFACTION_DEFINITION,
    f"select channel, survey_kind, object, {_SATISFACTION} order by answer_count desc, channel, survey_kind,"
    f" object desc",
    "Satisfaction",
)

# --- Cases ---

CASE_TOTALS = Query(
    "case_totals",
    "Cases of the period",
    "Cases of customers, by when they began: how many, how many are resolved, reopened, handed over or resolved"
    " at first"
    " contact, and medians in seconds. Own and deleted cases are left out.",
    """
select
  count(*) as case_count,
  count(*) filter (where status <> 'done') as open_count,
  count(*) filter (where has_resolve) as resolved_count,
  count(*) filter (where reopening_count > 0) as reopened_count,
  count(*) filter (where handoff_count > 0) as handed_over_count,
  count(*) filter (where is_resolved_at_first_contact) as resolved_at_first_contact_count,
  quantile_cont(first_response_seconds, 0.5) as first_response_p50_seconds,
  quantile_cont(resolve_seconds, 0.5) as resolve_p50_seconds
from marts.fct_cases
where is_in_response_metrics and {cases}
""",
    "Counts and classes",
)
CASES_BY_DAY = Query(
    "cases_by_day",
    "Cases by day",
    "Cases of customers by the day on which they began, by their status now.",
    """
select case_date as day, status, count(*) as case_count
from marts.fct_cases
where is_in_response_metrics and {cases}
group by all
order by day, status
""",
    "Counts and classes",
)
CASES_BY_TOUCH = Query(
    "cases_by_touch",
    "Replies that a case took",
    "Cases of customers by the number of replies by people: zero, one, two, more; with the median of the seconds to the"
    " first resolve.",
    """
select touch_class, count(*) as case_count, quantile_cont(resolve_seconds, 0.5) as resolve_p50_seconds
from marts.fct_cases
where is_in_response_metrics and {cases}
group by all
order by min(list_position(['zero', 'one', 'two', 'more'], touch_class))
""",
    "Counts and classes",
)

# --- Channels and sentiment ---

CHANNELS = Query(
    "channels",
    "Channels",
    "Mentions of customers by channel: how many, shares that have a reply, that are positive and negative, and the mean"
    " of the seconds to the first reply. Deleted mentions are left out.",
    """
select
  channel,
  cast(sum(mention_count) as bigint) as mention_count,
  sum(replied_count) / nullif(sum(mention_count), 0) as replied_share,
  coalesce(sum(mention_count) filter (where sentiment = 'positive'), 0) / nullif(sum(mention_count), 0)
    as positive_share,
  coalesce(sum(mention_count) filter (where sentiment = 'negative'), 0) / nullif(sum(mention_count), 0)
    as negative_share,
  sum(first_response_seconds_sum) / nullif(sum(first_response_known_count), 0) as first_response_mean_seconds
from marts.agg_channels_daily
where {channel_days}
group by all
having sum(mention_count) > 0
order by mention_count desc, channel
""",
    "People, teams, channels, tags, volume and backlog",
)
SENTIMENT_BY_DAY = Query(
    "sentiment_by_day",
    "Sentiment by day",
    "Mentions of customers by day and sentiment, as the product or an agent has set it. Deleted ones are left out.",
    """
select mention_date as day, sentiment, cast(sum(mention_count) as bigint) as mention_count
from marts.agg_channels_daily
where {channel_days}
group by all
having sum(mention_count) > 0
order by day, sentiment
""",
    "People, teams, channels, tags, volume and backlog",
)
TAG_LIMIT = 30
TAGS = Query(
    "tags",
    "Tags",
    f"The {TAG_LIMIT} tags on most mentions of customers: how many, and the shares that are positive and negative. A"
    " mention with two tags counts in both, so tags do not add up.",
    f"""
select
  tag,
  cast(sum(mention_count) as bigint) as mention_count,
  sum(replied_count) / nullif(sum(mention_count), 0) as replied_share,
  sum(positive_count) / nullif(sum(mention_count), 0) as positive_share,
  sum(negative_count) / nullif(sum(mention_count), 0) as negative_share
from marts.agg_tags_daily
where {{tag_days}}
group by all
having sum(mention_count) > 0
order by mention_count desc, tag
limit {TAG_LIMIT}
""",
    "People, teams, channels, tags, volume and backlog",
)

# --- Audit ---

CHANGES_BY_DAY = Query(
    "changes_by_day",
    "Changes of the account by day",
    "Changes of settings and data that the account's history lists, by day and what they are about.",
    """
select change_date as day, change_group, count(*) as change_count
from marts.fct_account_changes
where {changes}
group by all
order by day, change_group
""",
)
CHANGE_LIMIT = 200
CHANGE_SPAN_DAYS = 7
CHANGES = Query(
    "changes",
    "Who changed what, and what came before and after",
    f"The last {CHANGE_LIMIT} changes, with the mentions of customers a day and the mean of the seconds to the"
    f" first reply"
    f" in the {CHANGE_SPAN_DAYS} days before the day of the change and in the {CHANGE_SPAN_DAYS} days after it,"
    f" of those that have data and are over: of the topic that the change concerns, else of the account. That"
    f" something followed a change does not mean that the change made it so.",
    f"""
with {_NOW},
listed as (
  select *
  from marts.fct_account_changes
  where changed_at is not null and {{changes}}
  order by changed_at desc, change_id
  limit {CHANGE_LIMIT}
),
places as (
  select distinct account_id, topic_id, change_date from listed
),
around as (
  select
    places.account_id,
    places.topic_id,
    places.change_date,
    sum(days.mention_count) filter (where days.mention_date < places.change_date)
    / nullif(least({CHANGE_SPAN_DAYS}, places.change_date - any_value(first_dates.first_date)), 0)
      as mentions_a_day_before,
    sum(days.mention_count) filter (where days.mention_date > places.change_date)
    / nullif(least({CHANGE_SPAN_DAYS}, any_value(today) - places.change_date - 1), 0) as mentions_a_day_after,
    sum(days.first_response_seconds_sum) filter (where days.mention_date < places.change_date)
    / nullif(sum(days.first_response_known_count) filter (where days.mention_date < places.change_date), 0)
      as first_response_mean_seconds_before,
    sum(days.first_response_seconds_sum) filter (where days.mention_date > places.change_date)
    / nullif(sum(days.first_response_known_count) filter (where days.mention_date > places.change_date), 0)
      as first_response_mean_seconds_after
  from places
  cross join now_there
  inner join (
    select account_id, min(mention_date) as first_date from marts.agg_volume_hourly group by account_id
  ) as first_dates on places.account_id = first_dates.account_id
  inner join marts.agg_response_times_daily as days
    on places.account_id = days.account_id
    and days.topic_id = coalesce(places.topic_id, days.topic_id)
    and days.mention_date between places.change_date - {CHANGE_SPAN_DAYS} and places.change_date + {CHANGE_SPAN_DAYS}
    and days.mention_date < now_there.today
  group by places.account_id, places.topic_id, places.change_date
)
select
  listed.changed_at,
  listed.change_group,
  listed.change_type,
  coalesce(agents.agent_name, listed.agent_id, 'automation') as changed_by,
  coalesce(topics.topic_name, listed.topic_id) as topic,
  around.mentions_a_day_before,
  around.mentions_a_day_after,
  around.first_response_mean_seconds_before,
  around.first_response_mean_seconds_after,
  listed.account_id,
  listed.change_id
from listed
left join around
  on listed.account_id = around.account_id
  and listed.topic_id is not distinct from around.topic_id
  and listed.change_date = around.change_date
left join marts.dim_agents as agents on listed.account_id = agents.account_id and listed.agent_id = agents.agent_id
left join marts.dim_topics as topics on listed.account_id = topics.account_id and listed.topic_id = topics.topic_id
order by listed.changed_at desc, listed.change_id
""",
)
SECURITY_BY_DAY = Query(
    "security_by_day",
    "Security events by day",
    "Events of the security audit by day and group, and how many were failed sign-ins.",
    """
select
  event_date as day,
  event_group,
  count(*) as event_count,
  count(*) filter (where is_failed_sign_in) as failed_sign_in_count
from marts.fct_security_events
where {security_events}
group by all
order by day, event_group
""",
)

# --- Health of the data ---

RECONCILIATION = Query(
    "reconciliation",
    "How far our numbers are the API's",
    "Numbers for which the API has its own, by measure, for the days from the first date to the last (UTC): how many"
    " were compared, how many are equal (to the hundredth or the second), and the most frequent reason of those that"
    " are not; of two as frequent, the first by name.",
    """
with by_reason as (
  select
    measure,
    compared_with,
    reason,
    sum(compared_count) as compared_count,
    sum(equal_count) as equal_count
  from marts.rpt_reconciliation
  where {compared_days}
  group by all
)
select
  measure,
  compared_with,
  cast(sum(compared_count) as bigint) as compared_count,
  cast(sum(equal_count) as bigint) as equal_count,
  sum(equal_count) / nullif(sum(compared_count), 0) as equal_share,
  first(reason order by compared_count - equal_count desc, reason) filter (where reason is not null) as main_reason
from by_reason
group by measure, compared_with
order by measure, compared_with
""",
    "Are they right?",
)
DRIFT = Query(
    "drift",
    "Where the API differs from what it documents",
    "Differences between what the API sent and the contracts, newest first. Fields that are not declared are kept.",
    """
select first_seen_at, table_name, path, expected, found, example
from history.schema_changes
order by first_seen_at desc, table_name, path, found
""",
    needs="history.schema_changes",
)
RUN_LIMIT = 200
BUDGET_DAYS = 7
RUNS = Query(
    "runs",
    "Runs",
    f"The last {RUN_LIMIT} runs up to this version, by when they began on the machine's clock: how they ended,"
    f" how long they"
    " took, and what was wrong.",
    f"""
select started_at, kind, outcome, seconds, request_count, quarantined_count, error
from history.runs
order by started_at desc, run_id
limit {RUN_LIMIT}
""",
    needs="history.runs",
)
BUDGET = Query(
    "budget",
    "What the request budget was used for",
    f"Requests to the API by runs that began in the {BUDGET_DAYS} days before the copy was published, by"
    f" endpoint: sent, sent"
    " again, refused by the rate limit.",
    f"""
select
  endpoint,
  cast(sum(call_count) as bigint) as call_count,
  cast(sum(retry_count) as bigint) as retry_count,
  cast(sum(throttled_count) as bigint) as throttled_count
from history.run_requests
inner join history.runs using (run_id)
where started_at > (select published_at from marts.published_version) - interval {BUDGET_DAYS} day
group by all
order by call_count desc, endpoint
""",
    needs="history.run_requests",
)

QUERIES = tuple(value for value in tuple(globals().values()) if isinstance(value, Query))
"""All of them, in the order of this file."""
