"""Writes the tables of a warehouse with SQL alone: as many mentions as one likes, without an API and without a loader.

Every value is drawn by a hash of the row's number, so a warehouse of a size is always the same. What people do, and how
often and how long after, is told in STEPS; the organisation is the sandbox's. Unlike the sandbox's, its agents work at
any hour. No model reads texts, so there are few of them, each made different by a number.

python benchmarks/made_warehouse.py warehouse.duckdb --mentions 100000
python benchmarks/made_warehouse.py warehouse.duckdb --touch 2000
"""
# ruff: noqa: S608 - names in the SQL are this file's own and the contract's, values are parameters

from __future__ import annotations

import argparse
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from pipelines.keeping import keep_versions, make_history, make_table
from pipelines.warehouse import DATASET, HISTORY
from sandbox import texts
from sandbox.channels import CHANNELS
from sandbox.draws import Draw
from sandbox.organisation import LANGUAGES, SENTIMENTS, Organisation, establish, profile_id
from transforms.contract import Column, contracts
from transforms.versions import versions

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]

ACCOUNT_ID = 1417
START = datetime(2024, 3, 1, tzinfo=UTC)
END = datetime(2026, 3, 1, tzinfo=UTC)
"""As of when the tables are: what would happen later is not in them."""
TOUCHED_UNTIL = END + timedelta(hours=1)
"""As of when the tables are after `touch_mentions`."""

_LOADED_EVERY = timedelta(days=2)
_MENTIONS_AT_ONCE = 250_000  # so that ten million need no more memory than that; a multiple of ten, for cases
_MEMORY_LIMIT = "1200MB"
_MESSAGE_COUNT = 500
# Where numbers begin that are those of nothing else.
_ID_BASE = 10**16
_CASE_BASE = 10**12
_AUTHOR_BASE = 10**9
_LOAD_ID = Column("_dlt_load_id", "text", "Identifier of the load that wrote the row, for the loader's own use.")
_REFERENCE = ("users", "topics", "topic_monitored_profiles", "teams", "team_members", "tags")
_SCHEDULES = ("business_hours_schedules", "business_hours_periods")
_VERSIONED = (*_REFERENCE, *_SCHEDULES)
_LISTS = (
    *("mention_actions", "mention_action_assignees", "mention_tags"),
    *("case_actions", "case_action_assignees", "case_linked_mentions"),
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that may be done with a mention, after all steps before it that are done.

    Attributes:
        type: kind of action.
        shares: by kind of mention, the share of those with which it is done.
        median_seconds: how long after the step before, in the middle.
        by: `rule` for automation, else which of the mention's agents: `first`, `second` or `late`.
        status: the status it sets, if any.
        drawn_as: steps drawn by one name are done with the same mentions, the rarer within the more frequent.
        at_once_share: how often it is done in the same second as the step before.
        assigns: `team`, `agent` or `both`.
    """

    type: str
    shares: dict[str, float]
    median_seconds: int
    by: str = "first"
    status: str | None = None
    drawn_as: str | None = None
    at_once_share: float = 0.0
    assigns: str | None = None


def _worked(share: float) -> dict[str, float]:
    """For mentions that people work on."""
    return {"handled": share, "handed over": share}


_BY_BOT = {"bot": 1.0, "handed over": 1.0}
_WITHOUT_PEOPLE = {"automatic": 1.0, "bot": 1.0}
_INCOMING = ("handled", "handed over", "automatic", "bot", "ignored")

STEPS = (
    Step(type="tag", shares=dict.fromkeys(_INCOMING, 0.35), median_seconds=2, by="rule"),
    Step(type="assign", shares=_worked(0.45), median_seconds=2, by="rule", assigns="team"),
    Step(type="case_linked", shares=dict.fromkeys(_INCOMING, 1.0), median_seconds=2, by="rule"),
    Step(type="reply", shares=_BY_BOT, median_seconds=3, by="rule"),
    Step(type="assign", shares=_worked(0.7), median_seconds=1_200, assigns="agent"),
    Step(type="property", shares=_worked(0.15), median_seconds=40),
    Step(type="note", shares=_worked(0.25), median_seconds=300),
    Step(type="tag", shares=_worked(0.5), median_seconds=120),
    Step(type="sentiment", shares=_worked(0.12), median_seconds=30),
    Step(type="status", shares=_worked(0.28), median_seconds=200, status="pending"),
    Step(type="assign", shares=_worked(0.15), median_seconds=1_500, assigns="both"),
    Step(type="reply", shares=_worked(0.78), median_seconds=1_100, by="second"),
    Step(type="like", shares=_worked(0.08) | {"own": 0.1}, median_seconds=60, by="second"),
    Step(
        type="status",
        shares=_worked(0.9),
        median_seconds=1_800,
        by="second",
        status="done",
        drawn_as="resolved",
        at_once_share=0.45,
    ),
    Step(type="status", shares=_WITHOUT_PEOPLE, median_seconds=60, by="rule", status="done", drawn_as="resolved"),
    Step(type="csat_reply", shares=_worked(0.08) | {"bot": 0.2}, median_seconds=1_500, by="rule"),
    Step(
        type="status",
        shares=_worked(0.11) | dict.fromkeys(_WITHOUT_PEOPLE, 0.12),
        median_seconds=32_000,
        by="rule",
        status="new",
        drawn_as="resolved",
    ),
    Step(
        type="reply",
        shares=_worked(0.09) | dict.fromkeys(_WITHOUT_PEOPLE, 0.1),
        median_seconds=1_500,
        by="second",
        drawn_as="resolved",
    ),
    Step(
        type="status",
        shares=_worked(0.095) | dict.fromkeys(_WITHOUT_PEOPLE, 0.1),
        median_seconds=900,
        by="second",
        status="done",
        drawn_as="resolved",
        at_once_share=0.45,
    ),
    Step(type="tag", shares=dict.fromkeys(_INCOMING, 0.03), median_seconds=600_000, by="late"),
    Step(type="note", shares=dict.fromkeys(_INCOMING, 0.02), median_seconds=700_000, by="late"),
)


def make_warehouse(file: Path, mention_count: int) -> None:
    """Makes the normalised tables that models read, and the versions of reference data, in a new DuckDB file.

    Mentions are spread evenly over the days from START to END; one in ten opens a case of one to four mentions. Each
    is loaded by the first of the loads, one every two days, that could see its last action.

    Args:
        file: where the database goes; there is no such file yet.
        mention_count: how many mentions there are.
    """
    organisation = establish(ACCOUNT_ID, 0, int(END.timestamp()))
    with _opened(file) as con, TemporaryDirectory(prefix="made-warehouse-") as folder:
        _make_tables(con)
        _keep_reference(con, organisation, Path(folder) / "versions.parquet")
        _make_choices(con, organisation)
        for first in range(0, mention_count, _MENTIONS_AT_ONCE):
            _let_mentions_arrive(con, first, min(first + _MENTIONS_AT_ONCE, mention_count), mention_count)
            _add("mention", con)
            _add_tags_and_deletions(con)
            _let_cases_arrive(con)
            _add("case", con)
            _link_mentions_to_cases(con)


def touch_mentions(file: Path, touched_count: int) -> None:
    """Gives some mentions one more action each, as a load would that finds them: all rows of theirs are written anew.

    Half of them are of the newest twentieth, half of the others; the actions are of the hour after END. Equal files are
    touched alike.

    Args:
        file: a database made by `make_warehouse`.
        touched_count: how many mentions.
    """
    with _opened(file) as con:
        loaded = {"loaded_at": TOUCHED_UNTIL, "load_id": _load_id(TOUCHED_UNTIL)}
        con.execute(_TOUCHED, {"each": touched_count // 2, "end": int(END.timestamp())})
        _write_again(con, "mentions", _TOUCHED_MENTION, loaded)
        _write_again(con, "mention_tags", "", loaded)
        _write_again(con, "mention_actions", "listed.position + 1 AS position,", loaded)
        _write_again(con, "mention_action_assignees", "listed.action_position + 1 AS action_position,", loaded)
        con.execute(
            f"INSERT INTO {DATASET}.mention_actions BY NAME"
            " SELECT account_id, unique_id, 0 AS position, user_id, user_name, type, status AS metadata_status,"
            " acted_at AS added_at, $loaded_at AS _loaded_at, $load_id AS _dlt_load_id FROM touched",
            loaded,
        )


def row_counts(file: Path) -> dict[str, int]:
    """How many rows each of the loader's tables has."""
    with duckdb.connect(file, read_only=True) as con:
        names = con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = $1 ORDER BY 1", [DATASET]
        ).fetchall()
        return {name: len(con.table(f"{DATASET}.{name}")) for (name,) in names}


@contextmanager
def _opened(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database with the macros that draw."""
    with duckdb.connect(file, config={"memory_limit": _MEMORY_LIMIT, "preserve_insertion_order": False}) as con:
        con.execute("SET TimeZone = 'UTC'")
        # The hash of two values is that of the one, folded with that of the other: two draws for one number would be
        # alike. The hash of the hash is not.
        con.execute("CREATE TEMP MACRO draw(number, name) AS (hash(hash(number, name)) >> 11) / 9007199254740992.0")
        con.execute("CREATE TEMP MACRO below(bound, number, name) AS CAST(floor(draw(number, name) * bound) AS BIGINT)")
        con.execute("CREATE TEMP MACRO pick(options, number, name) AS options[1 + below(len(options), number, name)]")
        # Log-logistic: like the sandbox's log-normal, and one draw.
        con.execute(
            "CREATE TEMP MACRO lasting(median_seconds, number, name) AS CAST(least(2592000, median_seconds"
            " * exp(0.75 * ln(greatest(draw(number, name), 1e-9) / (1 - draw(number, name))))) AS BIGINT)"
        )
        yield con


# --- Reference data ---------------------------------------------------------------------------------------------------


def _make_tables(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"CREATE SCHEMA {DATASET}")
    for table in (table for contract in contracts() for table in contract.tables):
        if table.name in {*_VERSIONED, *_LISTS, "mentions", "cases"}:
            make_table(con, f"{DATASET}.{table.name}", (*table.all_columns, _LOAD_ID))
    make_history(con)


def _keep_reference(con: duckdb.DuckDBPyConnection, organisation: Organisation, versions_file: Path) -> None:
    """Fills the reference lists and reads them twice: at first, and when some things have changed after a year."""
    for name, rows in _reference(organisation).items():
        _register(con, "rows", rows)
        con.execute(
            f"INSERT INTO {DATASET}.{name} BY NAME"
            f" SELECT *, '{ACCOUNT_ID}' AS account_id, $at AS _loaded_at, $load_id AS _dlt_load_id FROM rows",
            {"at": END, "load_id": _load_id(END)},
        )
    _keep_versions(con, versions_file, START)
    movers = [str(user.id) for user in organisation.users[2:11:4]]
    schedules, teams = organisation.schedules, organisation.teams
    for table, column in (("users", "id"), ("team_members", "user_id")):
        con.execute(
            f"UPDATE {DATASET}.{table} SET business_hours_schedule_id = $1 WHERE list_contains($2, {column})",
            [schedules[0].id, movers],
        )
    con.execute(
        f"UPDATE {DATASET}.team_members SET team_id = $1 WHERE user_id = $2 AND team_id = $3",
        [str(teams[2].id), str(organisation.users[6].id), str(teams[1].id)],
    )
    con.execute(
        f"UPDATE {DATASET}.business_hours_periods SET end_time = '1800' WHERE business_hours_schedule_id = $1",
        [schedules[0].id],
    )
    _keep_versions(con, versions_file, START + timedelta(days=365))


def _reference(organisation: Organisation) -> dict[str, list[Row]]:
    """Rows by table, without what is the same in all of them."""
    people = {
        place: {
            "name": user.name,
            "account_role": user.role,
            "business_hours_schedule_id": user.schedule.id if user.schedule else None,
        }
        for place, user in enumerate(organisation.users)
    }
    return {
        "users": [{"id": str(user.id), **people[place]} for place, user in enumerate(organisation.users)],
        "teams": [{"id": str(team.id), "name": team.name} for team in organisation.teams],
        "team_members": [
            {
                "team_id": str(team.id),
                "position": position,
                "user_id": str(organisation.users[place].id),
                **people[place],
            }
            for team in organisation.teams
            for position, place in enumerate(team.members)
        ],
        "topics": [{"id": str(topic.id), "name": topic.name} for topic in organisation.topics],
        "topic_monitored_profiles": [
            {
                "topic_id": str(topic.id),
                "position": position,
                "id": f"{topic.id}{channel}",
                "type": CHANNELS[channel].service,
                "service_id": profile_id(topic, CHANNELS[channel]),
                "displayname": topic.profile_name,
                "provider": CHANNELS[channel].provider,
            }
            for topic in organisation.topics
            for position, channel in enumerate(topic.channels)
        ],
        "tags": [
            {
                "id": str(tag.id),
                "tag": tag.name,
                "parent_id": str(tag.parent_id) if tag.parent_id else None,
                "is_visible": True,
                "is_smart_tag": tag.smart,
            }
            for tag in organisation.tags
        ],
        "business_hours_schedules": [
            {"id": schedule.id, "name": schedule.name, "timezone": schedule.timezone, "summary": schedule.summary}
            for schedule in organisation.schedules
        ],
        "business_hours_periods": [
            {
                "business_hours_schedule_id": schedule.id,
                "position": position,
                "day_of_week": period.dayofweek,
                "start_time": period.start,
                "end_time": period.end,
            }
            for schedule in organisation.schedules
            for position, period in enumerate(schedule.periods)
        ],
    }


def _keep_versions(con: duckdb.DuckDBPyConnection, file: Path, seen_at: datetime) -> None:
    for table in (table for contract in contracts() for table in contract.tables):
        if table.name in _VERSIONED:
            con.execute(f"COPY ({versions(table, f'FROM {DATASET}.{table.name}')}) TO '{file}' (FORMAT parquet)")
            keep_versions(con, table, file, account_ids=[str(ACCOUNT_ID)], seen_at=seen_at)


# --- What is drawn from -----------------------------------------------------------------------------------------------


def _make_choices(con: duckdb.DuckDBPyConnection, organisation: Organisation) -> None:
    _register(con, "places", _places(organisation))
    _register(con, "messages", _messages())
    _register(con, "tags", [{"place": place, "tag": tag.name} for place, tag in enumerate(organisation.tags)])
    _register(
        con,
        "steps",
        [
            {
                "step": number,
                "kind": kind,
                "share": share,
                "drawn_as": step.drawn_as or f"{step.type} {number}",
                "type": step.type,
                "acting": step.by,
                "status": step.status,
                "assigns": step.assigns,
                "median_seconds": step.median_seconds,
                "at_once_share": step.at_once_share,
            }
            for number, step in enumerate(STEPS)
            for kind, share in step.shares.items()
        ],
    )


def _places(organisation: Organisation) -> list[Row]:
    """Topics and channels, with where each begins when their shares of all mentions are laid end to end."""
    found = [
        (topic, CHANNELS[channel], topic.volume * weight)
        for topic in organisation.topics
        for channel, weight in zip(topic.channels, topic.channel_weights, strict=True)
    ]
    ends = list(accumulate(volume for _, _, volume in found))
    return [
        {
            "from_share": start / ends[-1],
            "topic_id": str(topic.id),
            "topic_name": topic.name,
            "project_id": str(topic.project.id),
            "project_name": topic.project.name,
            "team_id": str(organisation.teams[topic.team].id),
            "agents": [
                {"id": str(organisation.users[place].id), "name": organisation.users[place].name}
                for place in organisation.teams[topic.team].members
                if organisation.users[place].role != "observer"
            ],
            "service": channel.service,
            "provider": channel.provider,
            "category": channel.category,
            "domain": channel.domain,
            "message_types": list(channel.message_types),
            "profile": profile_id(topic, channel),
            "profile_name": topic.profile_name,
            "is_private": channel.private,
            "is_stripped": channel.stripped,
            "is_crawled": channel.crawled,
        }
        for start, (topic, channel, _) in zip([0.0, *ends], found, strict=False)
    ]


def _messages() -> list[Row]:
    return [
        {
            "message": number,
            "language": LANGUAGES[number % len(LANGUAGES)],
            "sentiment": (sentiment := SENTIMENTS[number // len(LANGUAGES) % len(SENTIMENTS)]),
            "text": texts.message(Draw(number), LANGUAGES[number % len(LANGUAGES)], sentiment),
        }
        for number in range(_MESSAGE_COUNT)
    ]


def _register(con: duckdb.DuckDBPyConnection, name: str, rows: list[Row]) -> None:
    con.register(name, pa.Table.from_pylist(rows))


# --- Mentions and cases -----------------------------------------------------------------------------------------------


def _let_mentions_arrive(con: duckdb.DuckDBPyConnection, first: int, last: int, mention_count: int) -> None:
    """Draws what is known of a mention when it comes. Of ten in a row, the first and up to three more make a case."""
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE arrived_mentions AS
        WITH drawn AS (
            SELECT
                number,
                draw(number, 'place') AS share,
                number // 10 AS case_number,
                number % 10 <= below(4, case_number, 'linked') AS is_in_case,
                -- Most come about noon.
                $start + number * $day_count // $mention_count * 86400
                + CAST(floor((draw(number, 'hour') + draw(number, 'minute')) * 43200) AS BIGINT) AS added
            FROM range($first, $last) AS numbers(number)
        )
        SELECT
            * EXCLUDE (share, from_share, agents, message_types),
            -- Sure to be unique, and in no order.
            CAST($id_base + CAST(number AS HUGEINT) * 3781927463263421 % $id_base AS VARCHAR) AS id,
            added - CASE
                WHEN is_crawled THEN lasting(32400, number, 'late')
                WHEN is_private THEN below(8, number, 'late')
                ELSE lasting(70, number, 'late')
            END AS published,
            pick(message_types, number, 'type') AS message_type,
            below($message_count, number, 'message') AS message,
            CASE
                WHEN is_in_case THEN $author_base + case_number
                ELSE CAST(floor(draw(number, 'author') ** 2.2 * ($mention_count / 4)) AS BIGINT)
            END AS author,
            CASE
                WHEN draw(number, 'own') < 0.07 AND NOT is_crawled THEN 'own'
                WHEN draw(number, 'kind') < 0.04 THEN 'automatic'
                WHEN draw(number, 'kind') < 0.14 AND is_private
                    THEN CASE WHEN draw(number, 'handed over') < 0.4 THEN 'handed over' ELSE 'bot' END
                WHEN draw(number, 'handled') < CASE WHEN is_private THEN 0.96 ELSE 0.75 END THEN 'handled'
                ELSE 'ignored'
            END AS kind,
            pick(agents, number, 'first agent') AS first_agent,
            CASE
                WHEN draw(number, 'passed on') < 0.15 THEN pick(agents, number, 'second agent') ELSE first_agent
            END AS second_agent,
            pick(agents, number, 'late agent') AS late_agent,
            CASE WHEN draw(number, 'deleted') < 0.01 THEN added + lasting(2000000, number, 'deletion') END AS deleted
        FROM drawn ASOF JOIN places ON drawn.share >= places.from_share
        """,
        {
            "start": int(START.timestamp()),
            "day_count": (END - START).days,
            "mention_count": mention_count,
            "first": first,
            "last": last,
            "id_base": _ID_BASE,
            "author_base": _AUTHOR_BASE,
            "message_count": _MESSAGE_COUNT,
        },
    )


def _let_cases_arrive(con: duckdb.DuckDBPyConnection) -> None:
    """A case is opened by its first mention and is much like one, as in the API. Its number is one of no mention."""
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE arrived_cases AS
        SELECT * REPLACE (
            $case_base + case_number AS number,
            CAST(CAST(id AS BIGINT) + $id_base AS VARCHAR) AS id,
            false AS is_in_case,
            added + 3 AS added,
            CASE WHEN draw(case_number, 'case') < 0.1 THEN 'ignored' ELSE 'handled' END AS kind,
            'case' AS message_type,
            CAST(NULL AS BIGINT) AS deleted
        )
        FROM arrived_mentions WHERE number % 10 = 0
        """,
        {"case_base": _CASE_BASE, "id_base": _ID_BASE},
    )


def _add(thing: str, con: duckdb.DuckDBPyConnection) -> None:
    """Lets the arrived mentions or cases live until END, and writes their rows and those of their lists."""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE acts AS
        WITH happening AS (
            SELECT
                number,
                step,
                steps.type,
                steps.status,
                assigns,
                team_id,
                second_agent,
                CASE acting
                    WHEN 'first' THEN first_agent WHEN 'second' THEN second_agent WHEN 'late' THEN late_agent
                END AS agent,
                added + CAST(sum(
                    CASE
                        WHEN draw(number, 100 + step) < at_once_share THEN 0
                        ELSE lasting(median_seconds, number, 200 + step)
                    END
                ) OVER (PARTITION BY number ORDER BY step) AS BIGINT) AS acted
            FROM arrived_{thing}s JOIN steps USING (kind)
            WHERE draw(number, drawn_as) < share AND (is_in_case OR steps.type <> 'case_linked')
        )
        SELECT *, row_number() OVER (PARTITION BY number ORDER BY step DESC) - 1 AS position
        FROM happening WHERE acted <= $end
        """,
        {"end": int(END.timestamp())},
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE outcomes AS
        SELECT
            number,
            arg_max(status, step) FILTER (status IS NOT NULL) AS status,
            min(acted) FILTER (type = 'reply') AS replied,
            min(acted) FILTER (status = 'done') AS resolved,
            max(acted) AS last_acted,
            count(agent) AS human_action_count,
            bool_or(type = 'property') AS has_priority
        FROM acts GROUP BY number
        """
    )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE lived AS
        SELECT
            arrived.*,
            outcomes.* EXCLUDE (number),
            concat(topic_id, '_', id) AS unique_id,
            -- The first load that can have seen all of it.
            $start + greatest(1, ceil((coalesce(last_acted, added) - $start) / $every)) * $every AS loaded,
            to_timestamp(loaded) AS _loaded_at,
            concat(CAST(loaded AS BIGINT), '.0') AS _dlt_load_id
        FROM arrived_{thing}s AS arrived LEFT JOIN outcomes USING (number)
        """,
        {"start": int(START.timestamp()), "every": int(_LOADED_EVERY.total_seconds())},
    )
    con.execute(_objects(thing), {"end": int(END.timestamp())})
    con.execute(
        f"""
        INSERT INTO {DATASET}.{thing}_actions BY NAME
        SELECT
            '{ACCOUNT_ID}' AS account_id,
            unique_id,
            position,
            agent.id AS user_id,
            agent.name AS user_name,
            type,
            concat(type, ' ', acts.status) AS description,
            CASE WHEN type IN ('reply', 'note') THEN concat('We will look into number ', number % 1000) END AS details,
            to_timestamp(acted) AS added_at,
            acts.status AS metadata_status,
            CASE WHEN type = 'property' THEN 'high' END AS metadata_priority,
            _loaded_at,
            _dlt_load_id
        FROM acts JOIN lived USING (number)
        """
    )
    con.execute(
        f"""
        INSERT INTO {DATASET}.{thing}_action_assignees BY NAME
        WITH assigned AS (
            SELECT
                number,
                position AS action_position,
                CASE assigns
                    WHEN 'team' THEN [{{'id': team_id, 'type': 'team'}}]
                    WHEN 'agent' THEN [{{'id': agent.id, 'type': 'user'}}]
                    WHEN 'both' THEN [{{'id': second_agent.id, 'type': 'user'}}, {{'id': team_id, 'type': 'team'}}]
                END AS assignees
            FROM acts WHERE assigns IS NOT NULL
        )
        SELECT
            '{ACCOUNT_ID}' AS account_id,
            unique_id,
            action_position,
            unnest(range(len(assignees))) AS position,
            unnest(assignees, recursive := true),
            _loaded_at,
            _dlt_load_id
        FROM assigned JOIN lived USING (number)
        """
    )


def _objects(thing: str) -> str:
    """The INSERT of the mentions or cases themselves, from `lived`."""
    return f"""
        INSERT INTO {DATASET}.{thing}s BY NAME
        SELECT
            '{ACCOUNT_ID}' AS account_id,
            unique_id,
            id,
            CAST(author AS VARCHAR) AS author_id,
            CASE WHEN NOT is_stripped THEN concat('author_', author) END AS author_name,
            CASE WHEN NOT is_stripped THEN concat('Author ', author) END AS author_fullname,
            kind = 'own' AS author_managed,
            CASE WHEN NOT is_stripped THEN concat(text, ' #', number) END AS message_content,
            CASE WHEN is_private THEN concat(text, ' #', number) END AS message_stripped_content,
            language AS message_language,
            sentiment AS message_sentiment,
            message_type,
            category AS source_category,
            service AS source_service,
            provider AS source_type,
            id AS source_id,
            domain AS source_domain,
            concat('https://', domain, '/', id) AS source_url,
            profile AS source_profile,
            profile_name AS source_profile_name,
            CASE WHEN draw(number, 'located') < 0.3 THEN pick(['BE', 'FR', 'DE', 'US', 'IN'], number, 'country') END
                AS location_country,
            topic_id,
            topic_name,
            project_id,
            project_name,
            coalesce(status, CASE kind WHEN 'own' THEN 'done' ELSE 'new' END) AS status,
            concat('https://app.engagor.com/messages/{ACCOUNT_ID}/permalink/', topic_id, '/', id, '/') AS permalink,
            CASE kind WHEN 'bot' THEN 'bot' WHEN 'automatic' THEN 'flow' END AS handled_by_type,
            -- Those in business hours stay null: no SQL of ours is to say what the models are to find.
            replied - published AS response_time_seconds,
            resolved - published AS resolve_time_seconds,
            coalesce(human_action_count, 0) * 40 AS handle_time_seconds,
            to_timestamp(added) AS added_at,
            CASE WHEN NOT is_stripped THEN to_timestamp(published) END AS published_at,
            CASE WHEN has_priority THEN '7' END AS priority_id,
            CASE WHEN has_priority THEN 'high' END AS priority_name,
            CASE WHEN has_priority THEN '#ff7043' END AS priority_color,
            {"CAST(author AS VARCHAR) AS contact_id," if thing == "case" else ""}
            CASE WHEN deleted <= $end THEN to_timestamp(deleted) END AS deleted_at,
            _loaded_at,
            _dlt_load_id
        FROM lived JOIN messages USING (message)
    """


def _add_tags_and_deletions(con: duckdb.DuckDBPyConnection) -> None:
    """Writes what only mentions have: tags, one on the average, and records of those that are gone at the source."""
    con.execute(
        f"""
        INSERT INTO {DATASET}.mention_tags BY NAME
        WITH tagged AS (
            SELECT
                number,
                unnest(range(CASE
                    WHEN draw(number, 'tags') < 0.35 THEN 0
                    WHEN draw(number, 'tags') < 0.75 THEN 1
                    WHEN draw(number, 'tags') < 0.94 THEN 2
                    ELSE 4
                END)) AS position
            FROM lived
        )
        SELECT '{ACCOUNT_ID}' AS account_id, unique_id, position, tag, _loaded_at, _dlt_load_id
        FROM tagged
        JOIN lived USING (number)
        JOIN tags ON tags.place = (below(1000, number, 'tag') + position) % (SELECT count(*) FROM tags)
        """
    )
    con.execute(
        f"""
        INSERT INTO {HISTORY}.deletions BY NAME
        SELECT '{ACCOUNT_ID}' AS account_id, 'mention' AS object, unique_id, to_timestamp(deleted) AS deleted_at
        FROM lived WHERE deleted <= $end
        """,
        {"end": int(END.timestamp())},
    )


def _link_mentions_to_cases(con: duckdb.DuckDBPyConnection) -> None:
    """Lists the mentions of the cases that have just been added."""
    con.execute(
        f"""
        INSERT INTO {DATASET}.case_linked_mentions BY NAME
        SELECT
            '{ACCOUNT_ID}' AS account_id,
            lived.unique_id,
            mentions.number % 10 AS position,
            mentions.id AS mention_id,
            concat(mentions.topic_id, '_', mentions.id) AS mention_unique_id,
            mentions.topic_id,
            mentions.service AS source_service,
            mentions.message_type,
            CAST(mentions.author AS VARCHAR) AS author_id,
            to_timestamp(mentions.added) AS added_at,
            CASE WHEN NOT mentions.is_stripped THEN to_timestamp(mentions.published) END AS published_at,
            _loaded_at,
            _dlt_load_id
        FROM arrived_mentions AS mentions JOIN lived USING (case_number)
        WHERE mentions.is_in_case
        """
    )


# --- Touching ---------------------------------------------------------------------------------------------------------

_TOUCHED = f"""
    CREATE TEMP TABLE touched AS
    WITH ranked AS (
        SELECT
            account_id,
            unique_id,
            published_at,
            hash(unique_id) AS lot,
            row_number() OVER (ORDER BY added_at DESC, unique_id) <= count(*) OVER () / 20 AS is_new
        FROM {DATASET}.mentions WHERE deleted_at IS NULL AND NOT author_managed
    ),

    deeds AS (
        SELECT
            account_id,
            unique_id,
            published_at,
            lot,
            draw(lot, 'deed') AS deed,
            below((SELECT count(*) FROM {DATASET}.users), lot, 'user') AS place,
            $end + below(3000, lot, 'when') AS acted
        FROM ranked
        QUALIFY row_number() OVER (PARTITION BY is_new ORDER BY lot, unique_id) <= $each
    ),

    users AS (SELECT id, name, row_number() OVER (ORDER BY id) - 1 AS place FROM {DATASET}.users)

    SELECT
        account_id,
        unique_id,
        CASE WHEN deed < 0.4 THEN 'reply' WHEN deed < 0.85 THEN 'status' ELSE 'note' END AS type,
        CASE WHEN deed >= 0.4 AND deed < 0.7 THEN 'done' WHEN deed >= 0.7 AND deed < 0.85 THEN 'new' END AS status,
        CASE WHEN type = 'reply' OR status <> 'new' THEN users.id END AS user_id,
        CASE WHEN type = 'reply' OR status <> 'new' THEN users.name END AS user_name,
        to_timestamp(acted) AS acted_at,
        acted - CAST(epoch(published_at) AS BIGINT) AS since_publication_seconds
    FROM deeds JOIN users USING (place)
"""

_TOUCHED_MENTION = """
    coalesce(touched.status, listed.status) AS status,
    CASE
        WHEN touched.type = 'reply' THEN coalesce(listed.response_time_seconds, since_publication_seconds)
        ELSE listed.response_time_seconds
    END AS response_time_seconds,
    CASE
        WHEN touched.status = 'done' THEN coalesce(listed.resolve_time_seconds, since_publication_seconds)
        ELSE listed.resolve_time_seconds
    END AS resolve_time_seconds,
    listed.handle_time_seconds + 40 AS handle_time_seconds,
"""


def _write_again(con: duckdb.DuckDBPyConnection, table: str, changed: str, loaded: Row) -> None:
    """Replaces a table's rows of the touched mentions, as the loader does: they go, and come anew at its end."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE written AS"
        f" SELECT listed.* REPLACE ({changed} $loaded_at AS _loaded_at, $load_id AS _dlt_load_id)"
        f" FROM {DATASET}.{table} AS listed JOIN touched"
        " ON listed.account_id = touched.account_id AND listed.unique_id = touched.unique_id",
        loaded,
    )
    con.execute(
        f"DELETE FROM {DATASET}.{table} WHERE (account_id, unique_id) IN (SELECT (account_id, unique_id) FROM touched)"
    )
    con.execute(f"INSERT INTO {DATASET}.{table} FROM written")


def _load_id(at: datetime) -> str:
    """The loader's name of a load that began then."""
    return str(at.timestamp())


def main() -> None:
    """Makes a warehouse, or touches one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the DuckDB file")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--mentions", type=int, help="make a new file with so many")
    what.add_argument("--touch", type=int, help="give so many of the file's mentions one more action each")
    options = parser.parse_args()
    if options.mentions:
        make_warehouse(options.file, options.mentions)
    else:
        touch_mentions(options.file, options.touch)
    print(*(f"{count:>12,} {table}" for table, count in row_counts(options.file).items()), sep="\n")


if __name__ == "__main__":
    main()
