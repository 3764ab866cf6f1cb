"""The care organisation whose messages are planned: topics, people, teams, opening hours and tags."""

from dataclasses import dataclass, replace
from typing import Any

from sandbox.channels import CHANNELS, Channel
from sandbox.draws import Draw
from sandbox.hours import Calendar, Period, calendar

Json = dict[str, Any]

YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A business hours schedule as it was at the start; `calendar` also knows how its hours have changed since."""

    id: str
    name: str
    timezone: str
    summary: str
    periods: tuple[Period, ...]
    calendar: Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An agent. `shift` is when the agent really works; `schedule` is what the account says, if anything."""

    id: int
    name: str
    role: str
    team: int
    shift: Calendar
    schedule: Schedule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team; `members` are positions in the list of users."""

    id: int
    name: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A group of topics."""

    id: int
    name: str
    visible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic: what is listened to, and which team answers."""

    id: int
    name: str
    profile_name: str
    """What its profiles are called on their networks, whatever the topic is called here."""
    project: Project
    team: int
    channels: tuple[int, ...]
    channel_weights: tuple[float, ...]
    languages: tuple[str, ...]
    volume: float
    default_inbox: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag; smart tags are put on by the product itself when a message comes in."""

    id: int
    name: str
    smart: bool
    parent_id: int | None


@dataclass(slots=True, kw_only=True, eq=False)
class Organisation:
    """Whom and what the messages of an account are planned for; positions in its lists never change."""

    account_id: int
    name: str
    schedules: tuple[Schedule, ...]
    users: tuple[User, ...]
    teams: tuple[Team, ...]
    projects: tuple[Project, ...]
    topics: tuple[Topic, ...]
    tags: tuple[Tag, ...]
    founded_at: int
    closed_topic_ids: frozenset[int] = frozenset()
    """Topics that were removed: nothing of them is visible any more."""

    @property
    def expires_at(self) -> int:
        """When the contract ends, in unix seconds."""
        return self.founded_at + 10 * YEAR_SECONDS

    def rename(self, what: str, identifier: Any, name: str) -> None:
        """Give one of its `users`, `teams`, `topics` or `tags` another name; all messages show it at once."""
        members: tuple[Any, ...] = getattr(self, what)
        setattr(self, what, tuple(replace(each, name=name) if each.id == identifier else each for each in members))

    def reschedule(self, schedule_id: str, later: Calendar, at: int) -> None:
        """Give a schedule other hours from an instant on."""
        schedules = {
            each.id: replace(each, calendar=each.calendar.followed_by(later, at)) if each.id == schedule_id else each
            for each in self.schedules
        }
        self.schedules = tuple(schedules.values())
        self.users = tuple(
            user if user.schedule is None else replace(user, schedule=schedules[user.schedule.id])
            for user in self.users
        )


def _week(days: range, *spans: tuple[str, str]) -> tuple[Period, ...]:
    return tuple(Period(day, start, end) for day in days for start, end in spans)


WEEKDAYS, TO_SATURDAY, ALL_WEEK = range(1, 6), range(1, 7), range(1, 8)

_SCHEDULES = (
    ("Kantooruren Brussel", "Europe/Brussels", "Mon-Fri 09:00-17:30", _week(WEEKDAYS, ("0900", "1730"))),
    (
        "Extended care (Mon-Sat)",
        "Europe/Brussels",
        "Mon-Fri 07:00-22:00, Sat 09:00-18:00",
        (*_week(WEEKDAYS, ("0700", "2200")), Period(6, "0900", "1800")),
    ),
    (
        "New York office",
        "America/New_York",
        "Mon-Fri 09:00-12:30, 13:15-18:00",
        _week(WEEKDAYS, ("0900", "1230"), ("1315", "1800")),
    ),
    ("Bengaluru care", "Asia/Kolkata", "Mon-Sat 09:30-18:30", _week(TO_SATURDAY, ("0930", "1830"))),
    (
        "Night desk",
        "America/New_York",
        "Every day 20:00-04:00",
        _week(ALL_WEEK, ("0000", "0400"), ("2000", "2400")),
    ),
    ("24/7", "UTC", "Always open", _week(ALL_WEEK, ("0000", "2400"))),
)

OFFICE_SHIFT = calendar("Europe/Brussels", _week(WEEKDAYS, ("0830", "1700")))
_SHIFTS = (
    OFFICE_SHIFT,
    calendar("Europe/Brussels", _week(TO_SATURDAY, ("1300", "2145"))),
    calendar("America/New_York", _week(WEEKDAYS, ("0900", "1745"))),
    calendar("Asia/Kolkata", _week(TO_SATURDAY, ("0930", "1830"))),
    calendar("America/New_York", _week(ALL_WEEK, ("0000", "0400"), ("2000", "2400"))),
)

# name, role, team, shift, position of the schedule (None: no schedule is set for this person)
_USERS = (
    ("Sofie De Smet", "admin", 0, 0, 0),
    ("Jürgen Wouters", "editor", 0, 0, 0),
    ("Anaïs Lefèvre", "editor", 0, 1, 1),
    ("Bram Van den Broeck", "editor", 0, 1, 1),
    ("Chloé D'Hondt", "custom_14", 0, 0, None),
    ("Łukasz Kowalski", "editor", 0, 1, 1),
    ("Megan O'Brien", "editor", 1, 2, 2),
    ("Tyrone Jackson", "editor", 1, 2, 2),
    ("María José Núñez", "editor", 1, 2, None),
    ("Wei Zhang", "editor", 1, 4, 4),
    ("Dwayne Smith-Jones", "custom_14", 1, 4, 4),
    ("Priya Sharma", "editor", 2, 3, 3),
    ("Deepak Iyer", "editor", 2, 3, 3),
    ("Ananya Rao", "editor", 2, 3, 3),
    ("ललिता देवी", "custom_14", 2, 3, 5),
    ("Observer (read only)", "observer", 2, 3, None),
)

_TEAMS = ("Care Europe", "Care Americas & night", "Bengaluru — 2nd line")

_PROJECTS = (("Customer care", True), ("Brand & Campaigns", True), ("Archive (do not use)", False))

# name, project, team, channels with weights, languages (repeated: more often), volume, in the default inbox
_TOPICS: tuple[tuple[str, int, int, dict[str, float], tuple[str, ...], float, bool], ...] = (
    ("CEO's", 1, 0, {"twitter": 6, "news": 3, "blogs": 2, "linkedin": 2}, ("fr", "nl", "en"), 0.08, False),
    (
        "Care Benelux",
        0,
        0,
        {"facebook": 4, "facebook_messages": 5, "whatsapp": 5, "email": 4, "web_chat": 3, "instagram": 2},
        ("nl", "nl", "nl", "fr", "en"),
        0.30,
        True,
    ),
    (
        "Care France",
        0,
        0,
        {"facebook": 3, "facebook_messages": 4, "twitter": 3, "email": 3, "forum": 2},
        ("fr", "fr", "fr", "fr", "en", "ar"),
        0.16,
        True,
    ),
    (
        "Care DACH",
        0,
        0,
        {"facebook": 3, "whatsapp": 4, "email": 4, "tripadvisor": 1},
        ("de", "de", "de", "de", "en"),
        0.12,
        True,
    ),
    (
        "Care International",
        0,
        1,
        {"twitter": 4, "facebook_messages": 3, "sms": 3, "web_chat": 4, "youtube": 1, "instagram": 2},
        ("en", "en", "en", "es", "ja", "hi"),
        0.18,
        True,
    ),
    (
        "Stores & Reviews",
        0,
        2,
        {"location_reviews": 6, "product_reviews": 3, "tripadvisor": 2},
        ("nl", "fr", "de", "en"),
        0.08,
        False,
    ),
    (
        "Brand watch — tous réseaux",
        1,
        2,
        {"twitter": 4, "tiktok": 4, "youtube": 3, "blogs": 3, "news": 2, "instagram": 2, "facebook": 1},
        ("en", "fr", "nl", "es", "ja", "hi", "ar"),
        0.08,
        False,
    ),
)

# Names as in real accounts: parentheses, accents, leading underscores, quotes, commas. Children follow their parent.
_TAGS = (
    ("(LANGUAGE)", False, None),
    ("FR", True, 0),
    ("NL", True, 0),
    ("_Info Search", False, None),
    ("_Info Search > PUK", False, 3),
    ("Facturation", False, None),
    ("Dubbele aanrekening", False, 5),
    ("Remboursement demandé", False, 5),
    ("Panne / Störung", True, None),
    ("Fibre", True, 8),
    ("Mobile (4G/5G)", True, 8),
    ("Résiliation", True, None),
    ("Churn risk!", False, None),
    ("VIP", False, None),
    ("Competitor: \u201cBluewave\u201d", True, None),
    ("Store, opening hours", False, None),
    ("Delivery", False, None),
    ("kudos 🎉", False, None),
    ("spam", True, None),
    ("to-translate", False, None),
    ("escalated_L2", False, None),
    ("Élections 2026", False, None),
)

SENTIMENTS = ("negative", "neutral", "positive", "unset")
LANGUAGES = ("en", "nl", "fr", "de", "es", "ja", "hi", "ar")


def establish(account_id: int, position: int, now: int) -> Organisation:
    """The organisation of the account that stands at this position in the sandbox's list of accounts."""
    draw = Draw(account_id)
    schedules = tuple(
        Schedule(
            id=str(311 + 40 * position + index),
            name=name,
            timezone=zone,
            summary=summary,
            periods=periods,
            calendar=calendar(zone, periods),
        )
        for index, (name, zone, summary, periods) in enumerate(_SCHEDULES)
    )
    users = tuple(
        User(
            id=21_003 + 1_000 * position + 7 * index,
            name=name,
            role=role,
            team=team,
            shift=_SHIFTS[shift],
            schedule=None if schedule is None else schedules[schedule],
        )
        for index, (name, role, team, shift, schedule) in enumerate(_USERS)
    )
    members = [tuple(index for index, user in enumerate(users) if user.team == team) for team in range(len(_TEAMS))]
    members[1] += members[0][:1]  # somebody sits in two teams
    projects = tuple(
        Project(id=3_013 + 100 * position + index, name=name, visible=visible)
        for index, (name, visible) in enumerate(_PROJECTS)
    )
    channel_index = {channel.name: index for index, channel in enumerate(CHANNELS)}
    topics = tuple(
        Topic(
            id=46_283 + 1_000 * position + 17 * index,
            name=name,
            profile_name=f"Aurelle {name}",
            project=projects[project],
            team=team,
            channels=tuple(channel_index[channel] for channel in channels),
            channel_weights=tuple(weight / sum(channels.values()) for weight in channels.values()),
            languages=languages,
            volume=volume,
            default_inbox=default_inbox,
        )
        for index, (name, project, team, channels, languages, volume, default_inbox) in enumerate(_TOPICS)
    )
    tag_ids = [
        35_792 + 1_000_000 * position + 611 * index + draw.below(500, f"tag {index}") for index in range(len(_TAGS))
    ]
    tags = tuple(
        Tag(id=tag_ids[index], name=name, smart=smart, parent_id=None if parent is None else tag_ids[parent])
        for index, (name, smart, parent) in enumerate(_TAGS)
    )
    return Organisation(
        account_id=account_id,
        name="Aurelle Télécom" if position == 0 else f"Aurelle Télécom {position + 1}",
        schedules=schedules,
        users=users,
        teams=tuple(
            Team(id=901 + 50 * position + index, name=name, members=members[index]) for index, name in enumerate(_TEAMS)
        ),
        projects=projects,
        topics=topics,
        tags=tags,
        founded_at=now - 3 * YEAR_SECONDS,
    )


def availability(user: User, now: int) -> str:
    """The status an agent shows: available or busy on shift, else unavailable."""
    if not user.shift.contains(now):
        return "unavailable"
    return "busy" if Draw(user.id, now // 1800).chance(0.3, "busy") else "available"


def profile_id(topic: Topic, channel: Channel) -> str:
    """`service_id` of the profile through which a topic hears a channel."""
    return Draw(topic.id, CHANNELS.index(channel)).digits(15, "profile")
