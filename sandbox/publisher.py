"""The publisher: posts that colleagues write, schedule and publish. Instants are unix seconds, UTC."""

from dataclasses import dataclass
from typing import Any

from sandbox import texts
from sandbox.account import Account
from sandbox.acts import Act, action_json
from sandbox.channels import CHANNELS
from sandbox.diary import Diary
from sandbox.draws import Draw
from sandbox.history import DAY, HOUR, NEVER
from sandbox.mentions import API, WEB
from sandbox.organisation import profile_id

Json = dict[str, Any]

_PAST_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post and its life: NEVER is when something does not happen. People and topic are positions in their lists."""

    id: str
    at: int
    submitted_at: int
    scheduled_at: int
    published_at: int
    writer: int
    approver: int
    topic: int
    draw: Draw

    def status(self, now: int) -> str:
        """How far it has come."""
        steps = (
            ("posted", self.published_at),
            ("scheduled", self.scheduled_at),
            ("awaiting_approval", self.submitted_at),
        )
        return next((status for status, at in steps if at <= now), "draft")

    def planned_for(self, now: int) -> int | None:
        """`date.published`: once it is scheduled, when it goes or went out."""
        return self.published_at if self.scheduled_at <= now else None


class Publisher:
    """The posts of one account."""

    def __init__(self, account: Account, now: int) -> None:
        self.account = account
        self.organisation = account.organisation
        self._identity = (account.seed, account.id, 13)
        self._diary = Diary(now - _PAST_DAYS * DAY, self._day)

    def posts(self, now: int) -> list[Post]:
        """The posts that have been begun, oldest first; those for a topic that was removed are gone with it."""
        closed = self.organisation.closed_topic_ids
        return [post for post in self._diary.until(now) if self.topic_id(post) not in closed]

    def topic_id(self, post: Post) -> int:
        """The topic for which a post is written."""
        return self.organisation.topics[post.topic].id

    def post(self, post: Post, now: int) -> Json:
        """Object publisher_mention."""
        draw, status, account_id = post.draw, post.status(now), self.account.id
        writer, approver = self.organisation.users[post.writer], self.organisation.users[post.approver]
        state, answered_row = self.account.state(now), self._answered_row(post)
        comment = texts.internal(draw, "assignment_comments", "comment") if draw.chance(0.5, "commented") else ""
        planned_for = post.planned_for(now)
        shown: Json = {
            "id": post.id,
            "author": {"id": writer.id, "name": writer.name},
            "message": self._message(post, "post" if answered_row is None else "reply") | {"status": status},
            "assignment": {
                "user_ids": [approver.id] if status == "awaiting_approval" else [],
                "comments": comment,
            },
        }
        if draw.chance(0.7, "tagged"):
            tags = self.organisation.tags
            shown["tags"] = [draw.pick(tags, f"tag {index}").name for index in range(draw.below(3, "tag count"))]
        shown["date"] = {"added": post.at} | ({} if planned_for is None else {"published": planned_for})
        link = f"{API}/{account_id}/publisher/mention/{post.id}"
        shown["action_links"] = [{"key": "edit", "type": "api", "link": link, "http_method": "POST"}]
        shown["services"] = self._services(post, posted=status == "posted")
        shown["actions"] = [action_json(act) for act in reversed(self._acts(post)) if act.at <= now]
        if answered_row is not None and state.alive[answered_row]:
            shown["in_reply_to"] = state.mention(answered_row)
        return shown

    def _message(self, post: Post, kind: str) -> Json:
        draw = post.draw
        language = draw.pick(self.organisation.topics[post.topic].languages, "language")
        message: Json = {}
        if draw.chance(0.3, "has title"):
            message["title"] = texts.title(draw, language)
        message["content"] = texts.message(draw, language, "positive")
        if draw.chance(0.8, "has type"):
            message["type"] = kind
        if draw.chance(0.4, "photo"):
            photo = f"https://media.aurelle.example/{draw.digits(8, 'file')}.jpg"
            message["attachments"] = [{"type": "photo", "url": photo}]
        elif draw.chance(0.3, "no attachments"):
            message["attachments"] = []
        return message | {"permalink": f"{WEB}/publisher/{self.account.id}/{post.id}/"}

    def _day(self, day: int, begins_at: int) -> list[Post]:
        count = 1 + Draw(*self._identity, day).below(7, "count")
        return [
            self._begun(Draw(*self._identity, day, number), begins_at, day * 10 + number) for number in range(count)
        ]

    def _begun(self, draw: Draw, begins_at: int, number: int) -> Post:
        at = begins_at + draw.below(DAY, "at")
        submitted_at = scheduled_at = published_at = NEVER
        if not draw.chance(0.1, "stays a draft"):
            submitted_at = at + 60 + draw.below(6 * HOUR, "submitted")
            if not draw.chance(0.05, "not approved"):
                scheduled_at = submitted_at + 30 + draw.below(9 * HOUR, "approved")
                published_at = scheduled_at + (60 + draw.below(12 * DAY, "ahead") if draw.chance(0.6, "later") else 5)
        return Post(
            id=str(880_000_000 + number * 7 + self.account.id % 7),
            at=at,
            submitted_at=submitted_at,
            scheduled_at=scheduled_at,
            published_at=published_at,
            writer=draw.below(len(self.organisation.users), "writer"),
            approver=draw.below(3, "approver"),
            topic=1 + draw.below(4, "topic"),
            draw=draw,
        )

    def _acts(self, post: Post) -> list[Act]:
        writer, approver = self.organisation.users[post.writer], self.organisation.users[post.approver]
        acts = [
            Act(kind="post_draft_created", at=post.at, user=writer),
            Act(kind="post_awaitingapproval_created", at=post.submitted_at, user=writer),
            Act(kind="post_created", at=post.scheduled_at, user=approver),
        ]
        return [act for act in acts if act.at != NEVER]

    def _services(self, post: Post, *, posted: bool) -> list[Json]:
        topic = self.organisation.topics[post.topic]
        heard = [CHANNELS[index] for index in topic.channels]
        channels = [channel for channel in heard if not (channel.private or channel.crawled)]
        first = post.draw.below(len(channels), "first service")
        shown = []
        for channel in (channels[first:] + channels[:first])[: 1 + post.draw.below(2, "service count")]:
            service: Json = {
                "type": channel.service,
                "service_id": profile_id(topic, channel),
                "displayname": topic.profile_name,
            }
            if post.draw.chance(0.6, f"url {channel.name}"):
                service["url"] = f"https://{channel.domain}/AurelleCare"
                service["avatar"] = f"https://{channel.domain}/avatars/AurelleCare.png"
            if posted:
                service["status"] = "failed" if post.draw.chance(0.06, f"failed {channel.name}") else "success"
            shown.append(service)
        return shown

    def _answered_row(self, post: Post) -> int | None:
        """The row of the mention that the post answers; it was there when the post was begun."""
        if not post.draw.chance(0.2, "is an answer"):
            return None
        before = int(self.account.history.added_at.searchsorted(post.at, side="right"))
        return before - 1 - post.draw.below(min(before, 20), "answered") if before else None
