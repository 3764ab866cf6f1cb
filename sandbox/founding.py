"""The reference lists of an account as they are at the start: records by id, which name each other by their ids.

A record has the field names of the API; what is shown of it, and how its links are filled in, is told in `reference`.
"""

from collections.abc import Iterable
from typing import Any

from sandbox.channels import CHANNELS, Channel
from sandbox.draws import Draw
from sandbox.organisation import Organisation, Topic, profile_id

Json = dict[str, Any]
Id = int | str
Records = dict[str, dict[Id, Json]]

DAY_SECONDS = 86_400

_EVERYONE = ("inbox.read", "insights.read", "customdashboards.read", "contacts.read", "replysuggestions.read")
_AGENTS = (
    *("properties.update", "tags.create", "status.update", "assignments.update", "sentiment.update", "note.update"),
    *("connectedservices.status.update", "connectedservices.status.reply", "contacts.update", "publisher.read"),
)
_ADMINS = (
    *("users.update", "adminusers.update", "teams.update", "tags.update", "account.update", "settings.read"),
    *("businesshoursschedules.update", "cannedresponses.update", "history.read", "api.read"),
    *("security.settings.audit.read", "crisisplans.update", "publishingguidelines.update"),
)

# id (a user's account_role), title, license, permissions, whether it sees every topic
_ROLES = (
    ("admin", "Administrator", "paying", (*_EVERYONE, *_AGENTS, *_ADMINS), True),
    ("editor", "Editor", "paying", (*_EVERYONE, *_AGENTS), True),
    ("observer", "Observer", "free", _EVERYONE, True),
    ("custom_14", "Agent \u2014 alleen eigen topics", "paying", (*_EVERYONE, *_AGENTS[2:6]), False),
    ("custom_15", "Nobody has this one", "free", (), False),
)

_COLORS = ("rgb(83,146,255)", "rgb(122,140,64)", "rgb(208,2,27)", "rgb(0,0,0)")

# Tags that no message carries.
_IDLE_TAGS = ("Actie 2019 (oud)", 'Slogan "Altijd dichtbij"')

_ATTRIBUTES: tuple[tuple[str, str, tuple[str, ...] | None], ...] = (
    ("Klantnummer", "string", None),
    ("Segment", "enum", ("Particulier", "Zelfstandige", "Grand compte", "")),
    ("Lifetime value (€)", "numeric", None),
    ("Opt-in marketing?", "boolean", None),
    ("Abonnement", "enum", ("Fibre", "Mobile (4G/5G)", "TV")),
)

_FOLDERS = ("Begroeting / Salutation", "Facturation", "Pannes", "Out of office 🌙")

_CANNED = (
    ("Hello", "Hi [contact_name], thanks for your message. A colleague looks into it."),
    ("Goedendag", "Dag [contact_name], bedankt voor je bericht! We bekijken het meteen."),
    ("Facture en double", "Bonjour [contact_name], nous avons remboursé le montant facturé deux fois."),
    ("Ask for the number", "Could you send us your phone number? Or mail care.frontdesk@aurelle.example"),
    ("Storung", "Guten Tag [contact_name], die Störung ist behoben. Startet bitte den Router neu."),
    ("PUK", "Je PUK-code staat op https://aurelle.example/puk?src=social&lang=nl"),
    ("Closing", "Glad that it works again! Have a nice day <3"),
    ("<b>HTML</b> signature", "<p>Met vriendelijke groet,<br/>Sofie De Smet &amp; team</p>"),
)

# What `data` holds for a type is not documented. A text has none: without the key, or as an empty PHP array.
_CANNED_TYPES: tuple[tuple[str, Any], ...] = (
    ("text", []),
    ("text", None),
    ("csat", {"question_id": "4017", "scale": 5}),
    ("text", None),
    ("buttons", {"buttons": [{"id": "1", "label": "Ja"}, {"id": "2", "label": "Nee"}]}),
)

_GUIDELINES: tuple[Json, ...] = (
    {"type": "PRESET", "content": "profanity", "message": "Mind your language", "level": "BLOCK"},
    {
        "type": "TEXT",
        "content": ["bluewave", "BlueWave"],
        "message": "Noem geen concurrenten",
        "level": "WARNING",
        "regex": r"\bblue\s?wave\b",
    },
    {"type": "PRESET", "content": "max_length", "arguments": [280], "message": "Trop long", "level": "INFO"},
    {
        "type": "TEXT",
        "content": "IBAN",
        "arguments": [],
        "message": "Never ask for a bank account in public",
        "level": "BLOCK",
        "regex": r"[A-Z]{2}\d{2}(\s?\d{4}){3,}",
    },
)

# name, severity, how many coordinators, to-dos
_PLANS: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
    (
        "Netwerkstoring nationaal",
        "error",
        2,
        (
            "Bel Sofie De Smet (+32 470 12 34 56)",
            "Post the status page https://status.aurelle.example/?from=social",
            "Inform anais.lefevre@aurelle.example",
        ),
    ),
    ("Fuite de données", "warning", 1, ("Do not answer in public", "Escalate to legal")),
    ("Campaign backlash", "info", 0, ()),
)

_WIDGETS = ("timeline_by_sentiment", "total", "by_service", "note")


def founding(organisation: Organisation, now: int) -> Records:
    """Every list of an account whose organisation stands at `now`."""
    profiles = _profiles(organisation)
    folders = _folders(organisation, now)
    return {
        "users": _users(organisation),
        "userroles": _roles(organisation),
        "teams": _teams(organisation),
        "tags": _tags(organisation),
        "connectedprofiles": profiles,
        "topics": _topics(organisation),
        "customattributes": _attributes(organisation),
        "canned_responses_folders": folders,
        "canned_responses": _canned_responses(organisation, tuple(folders), now),
        "businesshoursschedules": _schedules(organisation),
        "profilegroups": _profile_groups(organisation, profiles),
        "publishing_guidelines": _guidelines(organisation),
        "crisis_plans": _plans(organisation, now),
        "dashboards": _dashboards(organisation),
        "mailboxes": _mailboxes(organisation),
    }


def _by_id(records: Iterable[Json], key: str = "id") -> dict[Id, Json]:
    return {record[key]: record for record in records}


def _present(record: Json) -> Json:
    """The record without the keys that have nothing: the API leaves them out."""
    return {name: value for name, value in record.items() if value is not None}


def _dates(organisation: Organisation, *identity: int) -> Json:
    draw = Draw(organisation.account_id, *identity)
    added_at = organisation.founded_at + draw.below(300 * DAY_SECONDS, "added")
    return {"added": added_at, "updated": added_at + draw.below(2, "touched") * draw.below(400 * DAY_SECONDS, "later")}


def _users(organisation: Organisation) -> dict[Id, Json]:
    return _by_id(
        _present(
            {
                "id": user.id,
                "name": user.name,
                "email": f"agent{user.id}@aurelle.example",
                "avatar": f"https://app.engagor.com/global/img/avatar/{user.id}.png" if user.id % 3 else None,
                "account_role": user.role,
                "business_hours_schedule_id": None if user.schedule is None else user.schedule.id,
            }
        )
        for user in organisation.users
    )


def _roles(organisation: Organisation) -> dict[Id, Json]:
    topic_ids = [topic.id for topic in organisation.topics]
    return _by_id(
        {
            "id": identifier,
            "title": title,
            "license": license_,
            "permissions": list(permissions),
            "topics": topic_ids if everywhere else topic_ids[1:3],
            "date": _dates(organisation, 1, index),
        }
        for index, (identifier, title, license_, permissions, everywhere) in enumerate(_ROLES)
    )


def _teams(organisation: Organisation) -> dict[Id, Json]:
    return _by_id(
        {
            "id": team.id,
            "name": team.name,
            "show_in_team_performance": index != 1,
            "users": [organisation.users[member].id for member in team.members],
            "date": _dates(organisation, 2, index),
        }
        for index, team in enumerate(organisation.teams)
    )


def _tags(organisation: Organisation) -> dict[Id, Json]:
    first_id = max(tag.id for tag in organisation.tags) + 1
    known = [(tag.id, tag.name, tag.smart, tag.parent_id) for tag in organisation.tags]
    known += [(first_id + index, name, False, None) for index, name in enumerate(_IDLE_TAGS)]
    return _by_id(
        _present(
            {
                "id": identifier,
                "tag": name,
                "parent_id": parent_id,
                "is_smarttag": smart,
                "color_code": _COLORS[identifier % 4] if identifier % 5 else None,
                "visible": not name.startswith("_"),
                "category_model_tag": name.startswith("Panne"),
                "status": "archived" if name == _IDLE_TAGS[0] else None,
            }
        )
        for identifier, name, smart, parent_id in known
    )


def _profile(organisation: Organisation, topic: Topic, channel: Channel) -> Json:
    draw = Draw(topic.id, CHANNELS.index(channel))
    service_id = profile_id(topic, channel)
    return _present(
        {
            "id": 100_000 + draw.below(899_999, "id"),
            "type": channel.service,
            "service_id": service_id,
            "displayname": topic.profile_name,
            "username": "AurelleCare" if draw.chance(0.6, "username") else None,
            "provider": channel.provider,
            "filters": {"postedby": f"postedby:{service_id}", "profile": f"profile:{service_id}"},
            # Connected by its administrator, or by one of the next two users.
            "connected_by": organisation.users[0 if draw.chance(0.7, "owner") else 1 + draw.below(2, "other")].id,
        }
    )


def _profiles(organisation: Organisation) -> dict[Id, Json]:
    heard = [
        _profile(organisation, topic, CHANNELS[channel]) for topic in organisation.topics for channel in topic.channels
    ]
    # Connected, but no topic listens to it; nobody posts there, so it has no filters.
    idle = {
        "id": 99_000 + organisation.account_id % 1_000,
        "type": "linkedin_group",
        "service_id": Draw(organisation.account_id).digits(9, "group"),
        "provider": "SearchProviderLinkedInGroups",
        "filters": [],
        "connected_by": organisation.users[0].id,
    }
    return _by_id([*heard, idle])


def _topics(organisation: Organisation) -> dict[Id, Json]:
    records = []
    for topic in organisation.topics:
        channels = [CHANNELS[index] for index in topic.channels]
        listened = not topic.name.startswith("CEO")
        searched = any(channel.crawled for channel in channels)
        records.append(
            _present(
                {
                    "id": topic.id,
                    "name": topic.name,
                    "searchkeywords": 'aurelle OR "aurelle télécom" OR #aurelle' if searched else None,
                    "monitoredprofiles": [_profile(organisation, topic, channel)["id"] for channel in channels]
                    if listened
                    else None,
                    "project_id": topic.project.id,
                    "default_inbox": topic.default_inbox,
                }
            )
        )
    return _by_id(records)


def _attributes(organisation: Organisation) -> dict[Id, Json]:
    first_id = 500 + Draw(organisation.account_id).below(9_000, "attribute")
    return _by_id(
        _present(
            {
                "id": first_id + 3 * index,
                "name": name,
                "type": kind,
                "allowed_values": None if allowed is None else list(allowed),
            }
        )
        for index, (name, kind, allowed) in enumerate(_ATTRIBUTES)
    )


def _folders(organisation: Organisation, now: int) -> dict[Id, Json]:
    first_id = 40 + Draw(organisation.account_id).below(900, "folder")
    return _by_id(
        {
            "id": first_id + index,
            "name": name,
            "updated_by": organisation.users[index % 2].id,
            "created_at": now - (200 - index) * DAY_SECONDS,
            "updated_at": now - (150 - 9 * index) * DAY_SECONDS,
        }
        for index, name in enumerate(_FOLDERS)
    )


def _canned_responses(organisation: Organisation, folder_ids: tuple[Id, ...], now: int) -> dict[Id, Json]:
    draw = Draw(organisation.account_id, 3)
    first_id = 7_000 + draw.below(90_000, "first")
    return _by_id(
        _canned_response(organisation, index, str(first_id + index), folder_ids, now)
        for index in range(58 + draw.below(20, "count"))
    )


def _canned_response(
    organisation: Organisation, index: int, identifier: str, folder_ids: tuple[Id, ...], now: int
) -> Json:
    draw = Draw(organisation.account_id, 3, index)
    name, message = _CANNED[index % len(_CANNED)]
    created_at = now - (20 + draw.below(700, "created")) * DAY_SECONDS
    kind, data = _CANNED_TYPES[index % len(_CANNED_TYPES)]
    return _present(
        {
            "id": identifier,
            "name": name if index < len(_CANNED) else f"{name} ({index // len(_CANNED) + 1})",
            "message": message,
            "type": kind,
            "labels": ["nl", "tone: warm"] if draw.chance(0.3, "labelled") else None,
            "images": ["https://media.aurelle.example/canned.png"] if draw.chance(0.1, "pictured") else None,
            "folder_id": draw.pick(folder_ids, "folder") if draw.chance(0.8, "in a folder") else None,
            "should_show_in_inbox": draw.chance(0.9, "shown"),
            "matching_tags": [draw.pick(organisation.tags, "tag").name] if draw.chance(0.3, "matching") else [],
            "data": data,
            "used_count": draw.below(400, "used"),
            "created_at": created_at,
            "updated_at": created_at + draw.below(19 * DAY_SECONDS, "updated"),
        }
    )


def _schedules(organisation: Organisation) -> dict[Id, Json]:
    records = []
    for schedule in organisation.schedules:
        added_at = organisation.founded_at + int(schedule.id) * 3_600
        records.append(
            {
                "id": schedule.id,
                "name": schedule.name,
                "timezone": schedule.timezone,
                "summary": schedule.summary,
                "periods": [
                    {"dayofweek": period.dayofweek, "start": period.start, "end": period.end}
                    for period in schedule.periods
                ],
                "date": {"added": added_at, "updated": added_at + 40 * DAY_SECONDS},
            }
        )
    return _by_id(records)


def _profile_groups(organisation: Organisation, profiles: dict[Id, Json]) -> dict[Id, Json]:
    ids = list(profiles)
    groups: tuple[tuple[str, list[Id]], ...] = (
        ("Alle Benelux pagina's", ids[4:10]),
        ("Reviews & stores", ids[-4:]),
        ("Leeg", []),
    )
    first_id = 70 + Draw(organisation.account_id).below(900, "group")
    return _by_id(
        {
            "id": str(first_id + index),
            "name": name,
            "profiles": members,
            "date": _dates(organisation, 4, index),
        }
        for index, (name, members) in enumerate(groups)
    )


def _guidelines(organisation: Organisation) -> dict[Id, Json]:
    first_id = 20 + Draw(organisation.account_id).below(900, "guideline")
    return _by_id(
        {"id": first_id + index} | guideline | {"date": {"updated": _dates(organisation, 5, index)["updated"]}}
        for index, guideline in enumerate(_GUIDELINES)
    )


def _plans(organisation: Organisation, now: int) -> dict[Id, Json]:
    draw = Draw(organisation.account_id, 6)
    first_id = 300 + draw.below(900, "plan")
    records = []
    for index, (name, severity, coordinators, tasks) in enumerate(_PLANS):
        created_at = now - (400 - 30 * index) * DAY_SECONDS
        todo_items = []
        for position, task in enumerate(tasks):
            todo_item: Json = {"id": f"{first_id + index}{position + 1}", "description": task}
            if position != 1:
                todo_item["assignee"] = organisation.users[position].id
            todo_items.append(todo_item)
        records.append(
            _present(
                {
                    "id": str(first_id + index),
                    "name": name,
                    "summary": [severity, f"{len(tasks)} to-dos"] if tasks else [],
                    "description": f"Wat te doen bij: {name}",
                    "type": severity,
                    "instructions": "Lees https://wiki.aurelle.example/crisis?id=1&v=2 en blijf kalm.",
                    "coordinators": [user.id for user in organisation.users[:coordinators]] or None,
                    "todo_items": todo_items or None,
                    "active_event": {
                        "id": str(9_000 + first_id),
                        "name": f"{name} \u2014 maart",
                        "created_at": now - 2 * DAY_SECONDS,
                        "completed_todo_items": [
                            {
                                "id": todo_items[0]["id"],
                                "completed_by": organisation.users[1].id,
                                "completed_at": now - DAY_SECONDS,
                            }
                        ],
                    }
                    if index == 0
                    else None,
                    "created_at": created_at,
                    "updated_at": created_at + 10 * DAY_SECONDS,
                }
            )
        )
    return _by_id(records)


def _dashboards(organisation: Organisation) -> dict[Id, Json]:
    first_id = 1_200 + Draw(organisation.account_id).below(9_000, "dashboard")
    records: list[Json] = []
    for index, (name, description, widgets) in enumerate(
        (
            ("Care today", "Voor het scherm in de gang", _WIDGETS),
            ("Brand & CEO", None, _WIDGETS[:2]),
            ("Leeg", None, ()),
        )
    ):
        components = [
            {
                "id": first_id * 10 + 10 * index + position,
                "name": widget.replace("_", " "),
                "position": {"column": 3 * (position % 2), "row": position // 2},
                "size": {"width": 3, "height": 1 + position % 2},
                "widget": widget,
            }
            for position, widget in enumerate(widgets)
        ]
        records.append(
            _present(
                {
                    "id": first_id + index,
                    "name": name,
                    "description": description,
                    "components": components or None,
                }
            )
        )
    return _by_id(records)


def _folder(
    key: str, name: str, words: str, topics: Iterable[Topic], *subfolders: Json, data: str = "mentions"
) -> Json:
    shown: Json = {
        "key": key,
        "name": name,
        "data_type": data,
        "topics": [topic.id for topic in topics],
        "filter": words,
    }
    return shown | ({"subfolders": list(subfolders)} if subfolders else {})


def _mailboxes(organisation: Organisation) -> dict[Id, Json]:
    topics = organisation.topics
    inbox, others = [topic for topic in topics if topic.default_inbox], [t for t in topics if not t.default_inbox]
    mailboxes = (
        {
            "key": "inbox",
            "name": "Inbox",
            "folders": [
                _folder("inbox_new", "Nieuw", "status:new", inbox),
                _folder("inbox_pending", "Wachtend", "status:pending", inbox),
                _folder(
                    "inbox_tagged",
                    "Per tag",
                    '(usertag:"Facturation" OR usertag:"Churn risk!") AND NOT status:done',
                    inbox,
                    _folder("inbox_tagged_vip", "VIP", 'usertag:"VIP"', inbox),
                    _folder("inbox_tagged_escalated", "Geëscaleerd", 'usertag:"escalated_L2"', inbox[:1]),
                ),
                _folder("inbox_drafts", "Drafts", "", inbox, data="publisher"),
            ],
        },
        {
            "key": f"mailbox_{organisation.account_id}",
            "name": "Brand & reviews",
            "folders": [
                _folder("brand_negative", "Négatif", "sentiment:negative AND source:social", others),
                _folder("brand_recent", "Laatste dag", "action_date_age:[0 TO 1440]", topics),
                _folder("brand_private", "Berichten", "source:conversations OR source:email", topics),
            ],
        },
        {"key": "mailbox_empty", "name": "Leeg", "folders": []},
    )
    return _by_id(mailboxes, key="key")
