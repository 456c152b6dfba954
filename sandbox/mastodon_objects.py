"""Statuses and accounts as Mastodon 4.5 sends them."""

from __future__ import annotations

import zlib
from datetime import datetime
from typing import Any

from sandbox.index import HANDLE, edited_at, text_at
from sandbox.mastodon_index import InstanceView, Status
from sandbox.mastodon_text import SHORTCODE, link, marked_up, normalised_tag, profile_url, tags_of
from sandbox.world import Person, Post

JSONDict = dict[str, Any]


def stamp(moment: datetime) -> str:
    """A time as Mastodon writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def uri_of(post: Post, author: Person) -> str:
    """The name of a post in the whole fediverse."""
    return f"https://{author.instance}/users/{author.handle}/statuses/{post.id}"


def url_of(post: Post, author: Person) -> str:
    """Where people read a post."""
    return f"{profile_url(author)}/{post.id}"


class Renderer:
    """Turns statuses and people into objects, as one instance shows them at `now`, to a signed-in reader or not."""

    def __init__(self, view: InstanceView, now: datetime, signed_in: bool, emojis: tuple[str, ...]) -> None:
        self.view, self.now, self.signed_in, self.emojis = view, now, signed_in, frozenset(emojis)
        self._accounts: dict[str, JSONDict] = {}

    def status(self, status: Status) -> JSONDict:
        """A status; a boost wraps what it boosts."""
        if status.reshare is not None:
            return self._boost(status)
        answer = self._base(status)
        quote = status.post.quote_of
        answer["quote"] = self._quote(quote) if quote else None
        return answer

    def account(self, person: Person) -> JSONDict:
        """An account."""
        if person.key not in self._accounts:
            self._accounts[person.key] = self._account(person)
        return self._accounts[person.key]

    def acct(self, person: Person) -> str:
        """`user` here, `user@host` elsewhere."""
        return person.handle if self.view.local(person) else f"{person.handle}@{person.instance}"

    def _base(self, status: Status) -> JSONDict:
        post, author, now = status.post, status.author, self.now
        text, edited = text_at(post, now), edited_at(post, now)
        parent = self.view.of_post.get(post.reply_to) if post.reply_to else None
        answer: JSONDict = {
            "id": status.id,
            "created_at": stamp(post.created_at),
            "in_reply_to_id": parent.id if parent else None,
            "in_reply_to_account_id": self.view.account_ids[parent.author.key] if parent else None,
            "sensitive": post.sensitive or bool(post.spoiler),
            "spoiler_text": post.spoiler,
            "visibility": post.visibility,
            "language": post.lang,
            "uri": uri_of(post, author),
            "url": url_of(post, author),
            "replies_count": len(self.view.children(post, now)),
            "reblogs_count": len(self.view.boosts_of(post, now)),
            "favourites_count": self.view.likes_count(post, now),
            "quotes_count": len(self.view.children(post, now, quotes=True)),
            "edited_at": stamp(edited) if edited else None,
        }
        answer.update(self._personal())
        answer["content"] = self._content(post, author, text)
        answer["reblog"] = None
        if self.view.local(author):
            answer["application"] = {"name": "Web", "website": None}
        answer["account"] = self.account(author)
        answer.update(self._attached(text, author))
        return answer

    def _boost(self, status: Status) -> JSONDict:
        assert status.reshare is not None
        original = self.view.of_post[status.post.id]
        uri = f"https://{status.author.instance}/users/{status.author.handle}/statuses/{status.reshare.id}/activity"
        wrapped = self.status(original)
        return {
            **wrapped, "id": status.id, "created_at": stamp(status.at), "in_reply_to_id": None,
            "in_reply_to_account_id": None, "uri": uri, "url": uri, "replies_count": 0, "reblogs_count": 0,
            "favourites_count": 0, "quotes_count": 0, "edited_at": None, "reblog": wrapped,
            "account": self.account(status.author), "mentions": [], "tags": [], "quote": None,
        }  # fmt: skip

    def _personal(self) -> JSONDict:
        if not self.signed_in:
            return {}
        return {"favourited": False, "reblogged": False, "muted": False, "bookmarked": False, "filtered": []}

    def _content(self, post: Post, author: Person, text: str) -> str:
        key = (post.id, text)
        if key not in self.view.contents:
            self.view.contents[key] = self._marked_up(post, author, text)
        return self.view.contents[key]

    def _marked_up(self, post: Post, author: Person, text: str) -> str:
        quoted = self.view.base.posts.get(post.quote_of) if post.quote_of else None
        inline = ""
        if quoted is not None and quoted.author in self.view.base.people:
            address = url_of(quoted, self.view.base.people[quoted.author])
            inline = f'<p class="quote-inline">RE: {link(address)}</p>'
        return inline + marked_up(text, author.instance, self.view.local(author), self.view.find)

    def _attached(self, text: str, author: Person) -> JSONDict:
        people = dict.fromkeys(
            self.view.find(match.group(1), match.group(2) or author.instance) for match in HANDLE.finditer(text)
        )
        mentions = [
            {"id": self.view.account_ids[person.key], "username": person.handle, "url": profile_url(person),
             "acct": self.acct(person)}
            for person in people if person is not None
        ]  # fmt: skip
        tags = [{"name": name, "url": f"https://{self.view.instance}/tags/{name}"} for name in tags_of(text)]
        return {
            "media_attachments": [], "mentions": mentions, "tags": tags, "emojis": self._emojis(text),
            "tagged_collections": [], "quote": None, "card": None, "poll": None,
            "quote_approval": {"automatic": ["public"], "manual": [], "current_user": "denied"},
        }  # fmt: skip

    def _emojis(self, text: str) -> list[JSONDict]:
        used = dict.fromkeys(match.group(1) for match in SHORTCODE.finditer(text))
        base = f"https://files.{self.view.instance}/custom_emojis/images"
        return [
            {"shortcode": code, "url": f"{base}/original/{code}.png", "static_url": f"{base}/static/{code}.png",
             "visible_in_picker": True}
            for code in used if code in self.emojis
        ]  # fmt: skip

    def _quote(self, target: str) -> JSONDict:
        quoted = self.view.of_post.get(target)
        if quoted is None or not self.view.exists(quoted, self.now):
            return {"state": "deleted", "quoted_status": None}
        answer = self._base(quoted)
        deeper = self.view.of_post.get(quoted.post.quote_of) if quoted.post.quote_of else None
        answer["quote"] = {"state": "accepted", "quoted_status_id": deeper.id} if deeper else None
        return {"state": "accepted", "quoted_status": answer}

    def _account(self, person: Person) -> JSONDict:
        view, files = self.view, f"https://files.{self.view.instance}/accounts"
        key, local = view.account_ids[person.key], view.local(person)
        newest = view.newest(person, self.now)
        answer: JSONDict = {
            "id": key,
            "username": person.handle,
            "acct": self.acct(person),
            "display_name": person.name,
            "locked": person.protected,
            "bot": person.bot,
            "discoverable": person.discoverable,
            "indexable": person.indexable,
            "group": False,
            "created_at": person.created_at.strftime("%Y-%m-%dT00:00:00.000Z"),
            "note": marked_up(person.bio, person.instance, local, view.find),
            "url": profile_url(person),
            "uri": f"https://{person.instance}/users/{person.handle}",
            "avatar": f"{files}/avatars/{key}/original.png",
            "avatar_static": f"{files}/avatars/{key}/original.png",
            "avatar_description": "",
            "header": f"https://{view.instance}/headers/original/missing.png",
            "header_static": f"https://{view.instance}/headers/original/missing.png",
            "header_description": "",
            "followers_count": person.followers,
            "following_count": person.following,
            "statuses_count": view.posted(person, self.now),
            "last_status_at": newest.at.strftime("%Y-%m-%d") if newest else None,
            "hide_collections": False,
            "show_media": True,
            "show_media_replies": True,
            "show_featured": True,
        }
        if local:
            answer["noindex"] = person.noindex
        answer["emojis"] = self._emojis(person.name + " " + person.bio)
        if local:
            answer["roles"] = []
        answer["fields"] = []
        return answer

    def tag(self, name: str) -> JSONDict:
        """A hashtag."""
        known = normalised_tag(name)
        number = str(zlib.crc32(known.encode("utf-8", "replace")))
        return {"id": number, "name": known, "url": f"https://{self.view.instance}/tags/{known}", "history": []}
