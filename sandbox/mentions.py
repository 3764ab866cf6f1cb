"""A mention as the API shows it at an instant: what came in, and then every deed up to that instant."""

import html
from collections.abc import Callable
from typing import Any, ClassVar

from sandbox import texts
from sandbox.acts import PRIORITIES, Act, apply, user_assignee
from sandbox.channels import CHANNELS, Channel
from sandbox.draws import Draw, mix
from sandbox.history import History, Slot
from sandbox.organisation import LANGUAGES, SENTIMENTS, Organisation, Team, User, profile_id

Json = dict[str, Any]

WEB = "https://app.engagor.com"
API = "https://api.engagor.com"

AUTHOR_TAGS = ("VIP", "Klant sinds 2019 (Gent)")
HASHTAGS = ("Aurelle", "fail", "Télécom", "5G", "กสทช")
APPLICATIONS = ("Facebook for Android", "web", "iOS", "API — Zapier")
SITES = ("cobblehillblog.com", "le-blog-télécom.example", "nieuwsblad.be", "lesoir.be")

_ID_BASE = 4 * 10**16
_ID_SPACE = 10**16
_ID_STEP = 3_781_927_463_263_421  # odd and no multiple of five, so every serial number gets an id of its own

PLACES = (
    ("EU", "BE", "Gent", "East Flanders", 3.7174, 51.0543),
    ("EU", "BE", "Liège", "Wallonia", 5.5797, 50.6326),
    ("EU", "FR", "Orléans", "Centre-Val de Loire", 1.9093, 47.9030),
    ("EU", "DE", "Köln", "Nordrhein-Westfalen", 6.9603, 50.9375),
    ("NA", "US", "Buffalo", "New York", -78.8784, 42.8864),
    ("AS", "IN", "Bengaluru", "Karnataka", 77.5946, 12.9716),
    ("AF", "GH", "Tema", "Greater Accra", 0.0, 5.6698),
)


def mention_id(seed: int, account_id: int, serial: int) -> str:
    """The 17-digit `id` of a message; topics that found the same message share it."""
    return str(_ID_BASE + (serial * _ID_STEP + mix(seed, account_id)) % _ID_SPACE)


def case_id(seed: int, account_id: int, serial: int) -> str:
    """The 17-digit `id` of the case that was opened by the message with this serial number."""
    return str(_ID_BASE + _ID_SPACE + (serial * _ID_STEP + mix(seed, account_id, 1)) % _ID_SPACE)


def permalink(account_id: int, topic_id: int, identifier: str) -> str:
    """The address of a mention in the web application."""
    return f"{WEB}/messages/{account_id}/permalink/{topic_id}/{identifier}/"


def text_of(organisation: Organisation, history: History, row: int, seed: int) -> str:
    """The words of a message before any markup; what the filter's `content:` looks at."""
    return Incoming(organisation, history, row, seed).text()


def identifier_json(account_id: int, topic_id: int, identifier: str) -> Json:
    """Object mention_identifier."""
    return {
        "id": identifier,
        "unique_id": f"{topic_id}_{identifier}",
        "permalink": permalink(account_id, topic_id, identifier),
        "topic": {"id": topic_id},
    }


def render(
    organisation: Organisation,
    history: History,
    row: int,
    *,
    seed: int,
    now: int,
    extra: list[Act],
    case_serial: int | None = None,
) -> Json:
    """The planned mention of a row as of `now`, with the `extra` deeds of a test among its own.

    `case_serial` is the serial number of the message that opened the case to which this one is linked, if it is.
    """
    incoming = Incoming(organisation, history, row, seed)
    life = Life(incoming, history, row, case_serial)
    mention = incoming.mention()
    for act in in_order(life.deeds(now), extra, now):
        apply(mention, act, incoming.published_at)
    return mention


def in_order(planned: list[Act], extra: list[Act], now: int) -> list[Act]:
    """The planned deeds and among them the `extra` ones up to `now`, oldest first."""
    return sorted(planned + [act for act in extra if act.at <= now], key=lambda act: act.at) if extra else planned


def person_json(channel: Channel, person: Draw) -> Json:
    """Object author for somebody of the public."""
    style = channel.author
    if style == "number":
        return {"id": int(person.digits(10, "id")), "managed": False}
    name = texts.person(person)
    if style == "domain":
        icon = f"{WEB}/global/img/icon/sources/source-{channel.category}-60.png"
        return {"name": name, "id": site_of(person), "img": icon, "managed": False}
    author: Json = {"name": name, "fullname": name, "id": _person_id(channel, person, name)}
    if style == "handle":
        author["name"] = f"{_first_name(name)}_{person.digits(3, 'handle')}"
        author["url"] = f"https://{channel.domain}/{author['id']}"
    if person.chance(0.6, "avatar"):
        author["img"] = f"https://{channel.domain}/avatars/{author['id']}.jpg"
    author["managed"] = False
    if person.chance(0.15, "tags"):
        author["tags"] = list(AUTHOR_TAGS[: 1 + person.below(2, "tag count")])
    elif person.chance(0.1, "no tags"):
        author["tags"] = []
    return author


def site_of(person: Draw) -> str:
    """The site on which somebody writes; all that is known of who writes there."""
    return person.pick(SITES, "site")


def phone_of(person: Draw) -> str:
    """A telephone number."""
    return f"+32{person.digits(9, 'phone')}"


def _person_id(channel: Channel, person: Draw, name: str) -> Any:
    digits = person.digits(15, "id")
    identifiers: dict[str, Any] = {
        "phone": phone_of(person),
        "address": f"{_first_name(name)}.{digits[:3]}@example.org",
        "visitor": int(digits[:6]),
    }
    return identifiers.get(channel.author, digits)


def _first_name(name: str) -> str:
    return name.split(maxsplit=1)[0].lower()


class Incoming:
    """A message at the moment it was added."""

    def __init__(self, organisation: Organisation, history: History, row: int, seed: int) -> None:
        self.organisation = organisation
        self.account_id = organisation.account_id
        serial = int(history.serial[row])
        self.draw = Draw(seed, self.account_id, serial)
        self.id = mention_id(seed, self.account_id, serial)
        self.topic = organisation.topics[history.topic[row]]
        channel_index = int(history.channel[row])
        self.channel = CHANNELS[channel_index]
        self.language = LANGUAGES[history.language[row]]
        self.sentiment = SENTIMENTS[history.sentiment[row]]
        self.brand = bool(history.brand[row])
        self.author = Draw(seed, self.account_id, channel_index, int(history.author[row]))
        self.added_at = int(history.added_at[row])
        self.published_at = int(history.published_at[row])
        self.tags = tag_names(organisation, int(history.tags_base[row]))
        self.type = self.draw.pick(self.channel.message_types, "type")
        self.seed = seed

    def text(self) -> str:
        """Its words before any markup."""
        if self.brand:
            text = texts.reply(self.draw, self.language, "brand reply")
        else:
            text = texts.message(self.draw, self.language, self.sentiment)
        if self._has_entities():
            text += f" #{self._hashtag()} https://aure.ly/{self.draw.digits(5, 'link')} @AurelleCare"
        return text

    def mention(self) -> Json:
        """The mention in the order of keys of the one public capture; what is empty is mostly missing."""
        topic, draw = self.topic, self.draw
        mention: Json = {
            "id": self.id,
            "unique_id": f"{topic.id}_{self.id}",
            "message": self._stripped_message() if self.channel.stripped else self._message(),
            "source": self._source(),
            "topic": {"id": topic.id, "name": topic.name},
            "project": {"id": topic.project.id, "name": topic.project.name},
            "status": "done" if self.brand else "new",
            "permalink": permalink(self.account_id, topic.id, self.id),
        }
        if not (self.channel.private and draw.chance(0.5, "no handled_by")):
            mention["handled_by"] = None
        mention |= {
            "actions": [],
            "action_links": self._action_links(),
            "date": {"added": self.added_at} | ({} if self.channel.stripped else {"published": self.published_at}),
        }
        if self.tags or not self.channel.private:
            mention["tags"] = list(self.tags)
        mention["timestamps"] = {"handle_time": 0}
        mention["author"] = self.author_json()
        if self.type in {"retweet", "shared"}:
            mention["original_author"] = self._original_author()
        mention["assignment"] = {"user_ids": [], "team_ids": [], "comments": ""}
        mention["assignees"] = []
        if not self.channel.stripped:
            self._add_optional(mention)
        return mention

    def _has_entities(self) -> bool:
        return not self.channel.private and not self.channel.review and self.draw.chance(0.3, "entities")

    def _hashtag(self) -> str:
        return self.draw.pick(HASHTAGS, "hashtag")

    def _stripped_message(self) -> Json:
        return {"language": self.language, "sentiment": self.sentiment}

    def _message(self) -> Json:
        draw, text = self.draw, self.text()
        message: Json = {}
        if self.type in {"email", "review", "link", "question"} or self.channel.author == "domain":
            message["title"] = texts.title(draw, self.language)
        if self.channel.html:
            lines = html.escape(text, quote=draw.chance(0.5, "quotes")).split("\n")
            message["content"] = f'<p>{"<br />".join(lines)}</p><p style="color:#333">&nbsp;</p>'
            message["stripped_content"] = text
        else:
            message["content"] = text
        if self._has_entities():
            message["entities"] = self._entities(text)
        attachments = self._attachments()
        if attachments or draw.chance(0.2, "no attachments"):
            message["attachments"] = attachments
        message |= {"language": self.language, "sentiment": self.sentiment}
        if not draw.chance(0.03, "no type"):
            message["type"] = self.type
        return message

    def _entities(self, text: str) -> Json:
        hashtag = f"#{self._hashtag()}"
        link = f"https://aure.ly/{self.draw.digits(5, 'link')}"

        def found(string: str) -> Json:
            start = text.rindex(string)
            return {"string": string, "indices": [start, start + len(string)]}

        return {
            "hashtags": [
                found(hashtag)
                | {
                    "text": hashtag[1:],
                    "filter": f'content:"{hashtag}"',
                    "url": f"https://example.org/tag/{hashtag[1:]}",
                }
            ],
            "urls": [
                found(link)
                | {
                    "url": link,
                    "short_url": link,
                    "long_url": "https://aurelle.example/nl/hulp?q=a&b=c",
                    "display_url": "aurelle.example/nl/hulp…",
                }
            ],
            "users": []
            if self.draw.chance(0.3, "no users")
            else [
                found("@AurelleCare")
                | {
                    "service": self.channel.service,
                    "screen_name": "AurelleCare",
                    "filter": "profile:AurelleCare",
                    "url": f"https://{self.channel.domain}/AurelleCare",
                }
            ],
        }

    def _attachments(self) -> list[Json]:
        draw = self.draw
        if self.channel.review:
            rating = {"type": "rating_answer", "content": 1 + draw.below(5, "rating")}
            return [rating, *self._files()] if draw.chance(0.3, "review photo") else [rating]
        if self.channel.private and draw.chance(0.08, "survey"):
            return self._survey()
        return self._files() if draw.chance(0.25, "files") else []

    def _survey(self) -> list[Json]:
        kind = self.draw.below(4, "survey kind")
        if self.brand:
            question: Json = {"type": "csat_question", "question": "csat_q_17", "content": "csat_q_17_v2"}
            return [question, {"type": "nps_question", "question": "nps_3", "content": 3}][kind % 2 : kind % 2 + 1]
        answers: tuple[list[Json], ...] = (
            [{"type": "nps_answer", "question": "nps_3", "content": self.draw.below(11, "nps")}],
            [{"type": "csat_answer", "question": "csat_q_17", "content": 1 + self.draw.below(5, "csat")}],
            [{"type": "dm_deeplink", "content": True}],
            [{"type": "unsupported"}],
        )
        return answers[kind]

    def _files(self) -> list[Json]:
        number = self.draw.digits(9, "file")
        media = "https://media.aurelle.example"
        files: tuple[Json, ...] = (
            {"type": "photo", "url": f"{media}/{number}.jpg", "image": f"{media}/{number}_s.jpg", "id": int(number)},
            {
                "type": "video",
                "url": f"{media}/{number}.mp4",
                "title": "IMG_0042.MOV",
                "image": f"{media}/{number}.png",
            },
            {
                "type": "url",
                "url": "https://aurelle.example/é?x=1",
                "title": "“Storing” — update",
                "description": "Lees\nmeer",
            },
            {"type": "file", "url": f"{media}/{number}/Facture%20mars.pdf", "title": "Facture mars.pdf"},
            {"type": "audio", "url": f"{media}/{number}.ogg", "caption": "🎤 0:42"},
            {"type": "place", "title": "Aurelle Store Gent", "description": "Veldstraat 1"},
            {"type": "product", "title": "Router X-2", "id": int(number[:5]), "content": "sku-88"},
            {"type": "photo_gif_frame", "image": f"{media}/{number}.gif", "id": 0},
            {"type": "web_url", "url": ""},
            {"type": "other"},
        )
        first = self.draw.below(len(files), "first file")
        return [files[(first + offset) % len(files)] for offset in range(1 + self.draw.below(3, "file count"))]

    def _source(self) -> Json:
        channel, message_id = self.channel, self._message_id("message")
        source: Json = {
            "category": channel.category,
            "type": channel.provider,
            "service": channel.service,
            "id": message_id,
            "domain": channel.domain,
        }
        if self._is_answer():
            source["in_reply_to_message_id"] = self._message_id("parent")
        return source if channel.stripped else source | self._source_details(message_id)

    def _is_answer(self) -> bool:
        return self.type in {"comment", "reply", "answer", "user_mention"} or (
            self.channel.private and self.draw.chance(0.4, "answer")
        )

    def _source_details(self, message_id: str) -> Json:
        channel, draw, topic = self.channel, self.draw, self.topic
        source: Json = {}
        if self._is_answer() and draw.chance(0.7, "thread"):
            source["thread_id"] = self._message_id("thread")
        domain = channel.domain
        if channel.author == "domain":
            domain = source["domain"] = site_of(self.author)
        if not channel.private:
            source["url"] = f"https://{domain}/{message_id}?ref=1&lang={self.language}"
        if draw.chance(0.3, "application"):
            source["application"] = draw.pick(APPLICATIONS, "client")
        if channel.author != "domain":
            source |= {"profile": profile_id(topic, channel), "profile_name": topic.profile_name}
        if draw.chance(0.4, "identifiers"):
            source["identifiers"] = {
                "document_id": int(draw.digits(9, "document")),
                "project_id": 5021,
                "content_provider_id": 31,
                "master_account_id": 907,
                "account_id": 1203,
            }
        elif draw.chance(0.3, "empty identifiers"):
            source["identifiers"] = []
        if self.brand:
            source["sender"] = self._sender()
        return source

    def _message_id(self, name: str) -> str:
        digits = self.draw.digits(19, name)
        if self.channel.service == "facebook":
            return f"{profile_id(self.topic, self.channel)}_{digits[:15]}"
        if self.channel.service == "email_mailbox":
            return f"<{digits}@mail.aurelle.example>"
        return digits

    def _sender(self) -> Json:
        if self.draw.chance(0.3, "flow sender"):
            return {"type": "flow", "id": f"flow_{self.draw.digits(4, 'flow')}", "name": "Welcome flow"}
        user = self.draw.pick(self.organisation.users, "sender")
        return {"type": "user", "id": str(user.id), "name": user.name}

    def author_json(self) -> Json:
        """Object author."""
        return self._brand_author() if self.brand else person_json(self.channel, self.author)

    def _brand_author(self) -> Json:
        service_id = profile_id(self.topic, self.channel)
        if self.channel.stripped:
            return {"id": int(service_id), "managed": True}
        return {"name": "AurelleCare", "fullname": self.topic.profile_name, "id": service_id, "managed": True}

    def _original_author(self) -> Json:
        original = Draw(self.author.key, 1)
        if self.channel.stripped:
            return {"id": int(original.digits(10, "id"))}
        name = texts.person(original)
        return {"name": name, "fullname": name, "id": original.digits(15, "id"), "url": "https://facebook.com/original"}

    def _action_links(self) -> list[Json]:
        account, topic, service = self.account_id, self.topic.id, self.channel.service
        noun = "tweet" if service == "twitter" else "message"
        links: list[Json] = [
            {
                "key": "reply",
                "type": "web",
                "name": "Reply",
                "title": f"Reply to this {noun}",
                "link": f"{WEB}/inbox/{account}/publish/{service}/reply/{topic}/{self.id}",
            },
            {
                "key": "reply",
                "type": "api",
                "link": f"{API}/{account}/publisher/add/?type=reply&topic_id={topic}&mention_id={self.id}",
                "http_method": "POST",
            },
        ]
        if not self.channel.stripped and self.draw.chance(0.3, "status link"):
            links.append(
                {
                    "key": "status",
                    "type": "api",
                    "link": f"{API}/{account}/inbox/mention/{topic}/{self.id}",
                    "http_method": "POST",
                    "post_params": "status=done",
                }
            )
        return links

    def _add_optional(self, mention: Json) -> None:
        draw = self.draw
        if draw.chance(0.3, "location"):
            mention["location"] = self._location()
        elif draw.chance(0.25, "empty location"):
            mention["location"] = []
        if self.channel.private and draw.chance(0.3, "priority"):
            mention["priority"] = dict(PRIORITIES[draw.pick(("low", "medium"), "first priority")])
        if self.channel.name in {"email", "web_chat", "sms"}:
            mention["extra_attributes"] = self._extra_attributes()
        if draw.chance(0.15, "empty part_of_cases"):
            mention["part_of_cases"] = [] if draw.chance(0.6, "php") else {"mention_identifiers": []}
        if self.channel.name == "web_chat":
            self._add_buttons(mention)
        details = self._service_details()
        if details is not None:
            mention["service_details"] = details

    def _location(self) -> Json:
        continent, country, city, region, longitude, latitude = self.draw.pick(PLACES, "place")
        location: Json = {"continent": continent, "country": country}
        if self.draw.chance(0.7, "city"):
            location |= {"city": city, "region": region}
        if self.draw.chance(0.6, "coordinates"):
            location |= {"longitude": longitude, "latitude": latitude}
        return location

    def _extra_attributes(self) -> list[Json]:
        attributes: tuple[Json, ...] = (
            {"id": "cf_12", "name": "Ordernummer", "value": self.draw.digits(6, "order")},
            {"id": "cf_14", "name": "Numéro de client (à vérifier)", "value": ""},
            {"id": "cf_3", "name": "page", "value": "https://aurelle.example/hulp?a=1&b=2"},
        )
        return list(attributes[: self.draw.below(4, "attributes")])

    def _add_buttons(self, mention: Json) -> None:
        labels = ("Facture / Factuur", "Panne 🔧", "Autre")
        if self.brand:
            mention["buttons"] = [{"id": f"b{index}", "label": label} for index, label in enumerate(labels)]
        elif self.draw.chance(0.4, "clicked"):
            index = self.draw.below(len(labels), "button")
            mention["clicked_buttons"] = [{"id": f"b{index}", "label": labels[index], "payload": f"menu:{index}"}]

    def _service_details(self) -> Any:
        draw, name = self.draw, self.channel.name
        if name == "sms":
            return [{"author_phone": phone_of(self.author)}]
        if name == "location_reviews":
            number, street = (
                draw.digits(4, "place"),
                draw.pick(("Veldstraat 1, Gent", "Rue Neuve 12, Bruxelles"), "street"),
            )
            url = f"https://maps.example/?cid={number}"
            if draw.chance(0.5, "list of details"):
                detail = {"location_id": number, "location_name": "Aurelle Store", "locationUrl": url}
                return [detail | ({"locationAddress": street} if draw.chance(0.8, "address") else {})]
            place = {"location_id": number, "location_name": "Aurelle Store", "location_url": url}
            return {"location_details": place | {"location_address": street}}
        if name == "product_reviews":
            product = {"product_id": draw.digits(5, "product"), "product_name": "Router X-2 «noir»"}
            return {"product_details": product} if draw.chance(0.7, "object") else [product]
        return [] if name == "tripadvisor" else None


class Life:
    """The planned deeds of a message, in the order in which they happen."""

    def __init__(self, incoming: Incoming, history: History, row: int, case_serial: int | None) -> None:
        self.incoming = incoming
        self.case_serial = case_serial
        self.organisation = incoming.organisation
        self.draw = Draw(incoming.draw.key, incoming.topic.id)
        self.first: User = self.organisation.users[history.first_agent[row]]
        self.second: User = self.organisation.users[history.second_agent[row]]
        self.late: User = self.organisation.users[history.late_agent[row]]
        self.team: Team = self.organisation.teams[incoming.topic.team]
        self.by_automation = bool(history.by_automation[row])
        self.sentiment_after = SENTIMENTS[history.sentiment_after[row]]
        self.history = history
        self.row = row
        self.times: list[int] = history.times[row].tolist()

    def deeds(self, now: int) -> list[Act]:
        """Every planned deed up to `now`, oldest first (slots are in that order)."""
        return [self._planned[slot](self, slot, at) for slot, at in zip(Slot, self.times, strict=True) if at <= now]

    def by_agent(self, kind: str, slot: Slot, at: int, user: User, **fields: Any) -> Act:
        """A deed of an agent, who spends some seconds on it."""
        seconds = 12 + self.draw.below(420, f"handle {slot}")
        return Act(kind=kind, at=at, user=user, handle_seconds=seconds, **fields)

    def by_rule(self, kind: str, slot: Slot, at: int, **fields: Any) -> Act:
        """A deed of automation."""
        return Act(kind=kind, at=at, empty_user=self.draw.chance(0.4, f"empty user {slot}"), **fields)

    def _tags(self, column: str) -> tuple[str, ...]:
        return tag_names(self.organisation, int(getattr(self.history, column)[self.row]))

    def _auto_tag(self, slot: Slot, at: int) -> Act:
        return self.by_rule("tag", slot, at, tags_added=self._tags("tags_auto"))

    def _auto_assign(self, slot: Slot, at: int) -> Act:
        return self.by_rule("assign", slot, at, assignees=(self._team(),))

    def _assign(self, slot: Slot, at: int) -> Act:
        comment = (
            texts.internal(self.draw, "assignment_comments", "comment") if self.draw.chance(0.4, "commented") else None
        )
        return self.by_agent("assign", slot, at, self.first, assignees=(user_assignee(self.first),), text=comment)

    def _reassign(self, slot: Slot, at: int) -> Act:
        assignees = (user_assignee(self.second), *((self._team(),) if self.draw.chance(0.3, "and team") else ()))
        comment = texts.internal(self.draw, "assignment_comments", "second comment")
        return self.by_agent("assign", slot, at, self.first, assignees=assignees, text=comment)

    def _case_auto(self, slot: Slot, at: int) -> Act:
        return self.by_rule("case_linked", slot, at, case=self._case())

    def _case_manual(self, slot: Slot, at: int) -> Act:
        return self.by_agent("case_linked", slot, at, self.late, case=self._case())

    def _flow(self, slot: Slot, at: int) -> Act:
        flow_id = self.draw.pick(("8812", "8813", "9001"), "flow")
        return self.by_rule("flow", slot, at, handled_by={"type": "flow", "flow_id": flow_id})

    def _bot_reply(self, slot: Slot, at: int) -> Act:
        by_flow = self.times[Slot.FLOW] <= at
        text = texts.reply(self.draw, self.incoming.language, "bot reply")
        return self.by_rule("reply", slot, at, text=text, handled_by=None if by_flow else {"type": "bot"})

    def _prioritise(self, slot: Slot, at: int) -> Act:
        return self.by_agent(
            "property", slot, at, self.first, priority=self.draw.pick(("high", "critical", "low"), "priority")
        )

    def _note(self, slot: Slot, at: int) -> Act:
        user = self.late if slot is Slot.LATE_NOTE else self.first
        return self.by_agent("note", slot, at, user, text=texts.internal(self.draw, "notes", f"note {slot}"))

    def _todo(self, slot: Slot, at: int) -> Act:
        done = slot is Slot.TODO_DONE
        user = self.second if done else self.first
        author = {"id": str(self.first.id), "name": self.first.name, "email": f"agent{self.first.id}@aurelle.example"}
        todo: Json = {
            "id": self.draw.digits(8, "todo"),
            "author": author if self.draw.chance(0.8, "todo author") else [],
            "text": texts.internal(self.draw, "todos", "todo text"),
            "assignees": [user_assignee(self.second)] if self.draw.chance(0.7, "todo assignee") else [],
            "status": "done" if done else "todo",
            "dateadd": self.times[Slot.TODO],
            "lastupdate": at,
        }
        return self.by_agent("mark_todo", slot, at, user, todo=todo)

    def _tag(self, slot: Slot, at: int) -> Act:
        if slot is Slot.LATE_TAG:
            return self.by_agent("tag", slot, at, self.late, tags_added=self._tags("tags_late"))
        added, removed = self._tags("tags_agent"), self._tags("tags_removed")
        return self.by_agent("tag", slot, at, self.first, tags_added=added, tags_removed=removed)

    def _change_sentiment(self, slot: Slot, at: int) -> Act:
        return self.by_agent("sentiment", slot, at, self.first, sentiment=self.sentiment_after)

    def _pend(self, slot: Slot, at: int) -> Act:
        return self.by_agent("status", slot, at, self.first, status="pending")

    def _reply(self, slot: Slot, at: int) -> Act:
        text = texts.reply(self.draw, self.incoming.language, f"reply {slot}")
        return self.by_agent("reply", slot, at, self.second, text=None if self.incoming.channel.stripped else text)

    def _like(self, slot: Slot, at: int) -> Act:
        return self.by_agent("like", slot, at, self.second)

    def _resolve(self, slot: Slot, at: int) -> Act:
        if slot is Slot.RESOLVE and self.by_automation:
            return self.by_rule("status", slot, at, status="done")
        return self.by_agent("status", slot, at, self.second, status="done")

    def _reopen(self, slot: Slot, at: int) -> Act:
        return self.by_rule("status", slot, at, status="new")

    def _answer_survey(self, slot: Slot, at: int) -> Act:
        return self.by_rule("csat_reply", slot, at, score=1 + self.draw.below(5, "csat"))

    def _erase(self, slot: Slot, at: int) -> Act:
        return self.by_agent("erase_pii_content", slot, at, self.late)

    def _team(self) -> Json:
        return {"id": str(self.team.id), "type": "team", "display_name": self.team.name}

    def _case(self) -> Json | None:
        incoming, account_id = self.incoming, self.organisation.account_id
        if self.case_serial is None:
            return None
        return identifier_json(account_id, incoming.topic.id, case_id(incoming.seed, account_id, self.case_serial))

    _planned: ClassVar[dict[Slot, Callable[["Life", Slot, int], Act]]] = {
        Slot.AUTO_TAG: _auto_tag,
        Slot.AUTO_ASSIGN: _auto_assign,
        Slot.CASE_AUTO: _case_auto,
        Slot.FLOW: _flow,
        Slot.BOT_REPLY: _bot_reply,
        Slot.ASSIGN: _assign,
        Slot.PRIORITY: _prioritise,
        Slot.NOTE: _note,
        Slot.TODO: _todo,
        Slot.TAG: _tag,
        Slot.SENTIMENT: _change_sentiment,
        Slot.PENDING: _pend,
        Slot.REASSIGN: _reassign,
        Slot.REPLY: _reply,
        Slot.LIKE: _like,
        Slot.RESOLVE: _resolve,
        Slot.CSAT: _answer_survey,
        Slot.TODO_DONE: _todo,
        Slot.REOPEN: _reopen,
        Slot.SECOND_REPLY: _reply,
        Slot.SECOND_RESOLVE: _resolve,
        Slot.LATE_TAG: _tag,
        Slot.LATE_NOTE: _note,
        Slot.CASE_MANUAL: _case_manual,
        Slot.ERASE: _erase,
    }


def tag_names(organisation: Organisation, bits: int) -> tuple[str, ...]:
    """The names of the tags whose bits are set."""
    return tuple(tag.name for index, tag in enumerate(organisation.tags) if bits >> index & 1)
