"""What a page says, and its HTML: no script, no picture, no address but its own; every text is escaped."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import jinja2

from alerts.answers.links import Verb
from alerts.email import COLOURS
from alerts.message import Tone
from alerts.wording import strings
from config.settings import Language


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked: the answers to choose from."""

    verbs: tuple[Verb, ...]
    key: str
    by: str
    """Who is said to have answered when no name is given."""
    title: str
    name: str = ""
    """What stands in the field already."""
    expected: bool = False
    """Is the first answer the one that the link named?"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page in one language. All texts are plain."""

    status: int
    language: Language
    title: str
    told: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()
    form: Form | None = None
    tone: Tone = "plain"
    badge: str = ""
    incident: str = ""
    """The alert's heading, where the page's own is another."""


def html(page: Page) -> str:
    """The whole document."""
    said = strings(page.language)
    other = "en" if page.language == "ja" else "ja"
    return _template().render(
        p=page, said=said["answer"], labels=said["labels"], colour=COLOURS[page.tone], style=_style(), other=other
    )


def policy() -> str:
    """The Content-Security-Policy: our own style and form, nothing else."""
    digest = base64.b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("alerts"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )


@cache
def _template() -> jinja2.Template:
    return _environment().get_template("answer.html.j2")


@cache
def _style() -> str:
    return _environment().get_template("answer.css").render()
