"""Whoever opens a link is asked; whoever presses a button is heard, once.

Nothing here trusts the caller: the link's signature says which alert and until when, the form's says that the page was
opened lately. Opening a page only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alerts import people
from alerts import wording as w
from alerts.answers import links
from alerts.answers.links import VERBS, Link, NotOurs, Verb
from alerts.answers.pages import Form, Page
from alerts.compose import compose, default_language, reader_of
from alerts.errors import NotPossible, UnknownIncident
from alerts.read import Incident, incident
from alerts.safe import line
from alerts.thresholds import HIGHEST, LOWEST, Moved
from config.settings import EmailChannel, Language, Settings
from store.db import Store

LANGUAGES: tuple[Language, ...] = ("ja", "en")


class Desk:
    """Answers a request for a page with what it says; knows nothing of HTTP."""

    def __init__(self, store: Store, settings: Settings, key: bytes) -> None:
        """`key` signs the links (alerts.answers.key)."""
        self.store, self.settings, self.key = store, settings, key

    def ask(self, token: str, now: datetime, *, language: Language | None = None, accepted: str = "") -> Page:
        """The page that a link opens. `language` was chosen by the reader; `accepted` is what the browser asks for."""
        found = self._find(token, now, language, accepted)
        if isinstance(found, Page):
            return found
        link, subject = found
        chosen = language or reader_of(self.settings, subject)[0]
        return self._asking(token, link, subject, chosen, now)

    def hear(
        self,
        token: str,
        form: Mapping[str, str],
        now: datetime,
        *,
        language: Language | None = None,
        accepted: str = "",
        elsewhere: bool = False,
    ) -> Page:
        """Record what a form says. `elsewhere`: the browser says that another site has sent it."""
        found = self._find(token, now, language, accepted)
        if isinstance(found, Page):
            return found
        link, subject = found
        chosen = language or reader_of(self.settings, subject)[0]
        verb = next((known for known in VERBS if known == form.get("verb")), None)
        if elsewhere or verb is None or not links.form_holds(self.key, token, form.get("form", ""), now):
            page = self._asking(token, link, subject, chosen, now)
            said = w.strings(chosen)["answer"]
            return replace(page, status=403, told=(said["again"],))
        by = line(form.get("by", ""), 60)
        return self._record(token, link, subject, chosen, verb, by, now)

    def nothing(self, accepted: str = "", *, name: str = "nothing", status: int = 404) -> Page:
        """A page that is about no alert."""
        language = _accepted(accepted) or default_language(self.settings)
        said = w.strings(language)["answer"]
        return Page(status, language, said[name], (said[f"{name}_told"],))

    # -------------------------------------------------------------- reading
    def _find(
        self, token: str, now: datetime, language: Language | None, accepted: str
    ) -> tuple[Link, Incident] | Page:
        """The link and its incident, or the page that says why not."""
        chosen = language or _accepted(accepted) or default_language(self.settings)
        said = w.strings(chosen)["answer"]
        try:
            link = links.read(self.key, token)
        except NotOurs:
            return Page(403, chosen, said["invalid"], (said["invalid_told"],))
        try:
            subject = incident(self.store, link.incident_id, evidence=0)
        except UnknownIncident:
            subject = None
        if subject is None or not link.is_about(subject):
            return Page(404, chosen, said["unknown"], (said["unknown_told"],))
        if link.is_over(now):
            chosen = language or reader_of(self.settings, subject)[0]
            said = w.strings(chosen)["answer"]
            days = w.duration(chosen, timedelta(days=self.settings.dashboard.link_days))
            told = said["expired_told"].format(days=days)
            return Page(410, chosen, said["expired"], (told,), commands=_commands(subject.id))
        return link, subject

    def _asking(self, token: str, link: Link, subject: Incident, language: Language, now: datetime) -> Page:
        said = w.strings(language)["answer"]
        head = self._head(subject, language, now)
        told = () if subject.state != "resolved" or link.verb != "ack" else (said["is_over"],)
        form = self._form(token, link, subject, said["ask"], now, said=None)
        return Page(
            200,
            language,
            head["title"],
            (*told, said["not_yet"]),
            facts=self._facts(subject, language),
            form=form,
            tone=head["tone"],
            badge=head["badge"],
        )

    def _head(self, subject: Incident, language: Language, now: datetime) -> dict[str, Any]:
        message = compose(self.settings, subject, "opened", now, language=language)
        return {"title": f"{message.title} (#{subject.id})", "tone": message.tone, "badge": message.badge}

    def _facts(self, subject: Incident, language: Language) -> tuple[tuple[str, str], ...]:
        said = w.strings(language)["answer"]
        zone = reader_of(self.settings, subject)[1]
        taken = said["taken"].format(by=line(subject.acknowledged_by, 60)) if subject.acknowledged_by else said["open"]
        state = said["over"] if subject.state == "resolved" else taken
        facts = [(said["since"], f"{w.clock(language, subject.began_at, zone)} ({zone.key})"), (said["state"], state)]
        words = self.store.query(
            "SELECT verdict, by FROM feedback WHERE incident_id = ? ORDER BY id DESC LIMIT 1", (subject.id,)
        )
        facts += [(said["so_far"], said[f"said_{row['verdict']}"].format(by=line(row["by"], 60))) for row in words]
        return tuple(facts)

    def _form(
        self, token: str, link: Link, subject: Incident, title: str, now: datetime, *, said: Verb | None, name: str = ""
    ) -> Form:
        """`said` is the answer just given, if one was: it is not asked for again, and none is expected."""
        verbs = [verb for verb in VERBS if verb != said and (verb != "ack" or subject.state == "open")]
        if said is None:
            verbs.sort(key=lambda verb: verb != link.verb)
        expected = said is None and verbs[0] == link.verb
        key = links.form_key(self.key, token, now)
        return Form(tuple(verbs), key, self._carrier(link), title, name, expected)

    def _carrier(self, link: Link) -> str:
        """Who answers when no name is given: the recipient, where the email had but one; else the channel."""
        for channel in self.settings.channels:
            if channel.name == link.channel and isinstance(channel, EmailChannel) and len(channel.recipients) == 1:
                return line(channel.recipients[0], 60)
        return link.channel

    # -------------------------------------------------------------- writing
    def _record(
        self, token: str, link: Link, subject: Incident, language: Language, verb: Verb, name: str, now: datetime
    ) -> Page:
        said = w.strings(language)["answer"]
        by = name or self._carrier(link)
        told: tuple[str, ...]
        commands: tuple[str, ...] = ()
        if verb == "ack":
            title, told = self._take(subject, said, by, now)
        else:
            answer = people.feedback(self.store, subject.id, verb, by, "", now)
            title = said[f"done_{verb}"]
            told = (said["done_by"].format(by=by),)
            if not answer.noted:
                told += (said["already"],)
            elif answer.moved is not None:
                told += (self._moved(subject, language, answer.moved), said["undo"])
                commands = (f"resonance alerts thresholds --revert {answer.moved.change}",)
            else:
                told += (said["unmoved"],)
        newest = incident(self.store, subject.id, evidence=0)
        head = self._head(newest, language, now)
        question = said["ask" if verb == "ack" else "change"]
        form = self._form(token, link, newest, question, now, said=verb, name=name)
        return Page(
            200,
            language,
            title,
            told,
            facts=self._facts(newest, language),
            commands=commands,
            form=form,
            tone=head["tone"],
            badge=head["badge"],
            incident=head["title"],
        )

    def _take(self, subject: Incident, said: dict[str, str], by: str, now: datetime) -> tuple[str, tuple[str, ...]]:
        try:
            people.acknowledge(self.store, subject.id, by, now)
        except NotPossible:
            return said["over"], (said["is_over"],)
        if subject.acknowledged_by:
            other = line(subject.acknowledged_by, 60)
            return said["taken"].format(by=other), (said["already_taken"].format(by=other),)
        return said["done_ack"], (said["done_by"].format(by=by),)

    def _moved(self, subject: Incident, language: Language, moved: Moved) -> str:
        said = w.strings(language)
        template = said["answer"]["rarer" if moved.after > moved.before else "oftener"]
        numbers = {"before": moved.before, "after": moved.after, "lowest": LOWEST, "highest": HIGHEST}
        rule, topic = said["rules"].get(moved.rule, moved.rule), reader_of(self.settings, subject)[2]
        return str(template).format(rule=rule, topic=topic, **{n: f"{value:.2f}" for n, value in numbers.items()})


def _accepted(header: str) -> Language | None:
    """The first language of an Accept-Language header that we speak."""
    for part in header[:200].split(","):
        name = part.split(";")[0].strip().lower()[:2]
        for known in LANGUAGES:
            if name == known:
                return known
    return None


def _commands(incident_id: int) -> tuple[str, ...]:
    return tuple(f"resonance alerts feedback {incident_id} {word}" for word in ("helpful", "false-alarm"))
