"""Writes the generated pages: schema.md and configuration.md. `python docs/build.py`; a test keeps them true."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from config.settings import AppriseChannel, EmailChannel, MastodonInstance, Settings, SlackChannel, Topic
from store.migrations import scripts
from store.queries import QUERIES

DOCS = Path(__file__).parent
_OBJECT = re.compile(r"CREATE (TABLE|VIRTUAL TABLE|VIEW) (\w+)(?: USING \w+)?(?: \(| AS) -- (.+)")

_ADDED = re.compile(r"ALTER TABLE (\w+) ADD COLUMN (\w+) .*?/\* (.+) \*/;")

SCHEMA_HEAD = """\
# The SQLite file

Everything that resonance knows lies in one SQLite file; open it with `sqlite3`, Datasette, a notebook or your BI tool,
while the daemon runs. Open it read-only: `sqlite3 'file:resonance.sqlite?mode=ro'`.

- Times are UTC, ISO 8601 with `Z`; sort and compare them as text. `created_at` is what the network claims, `first_seen`
  is when we saw it.
- `posts.id` is `x:<id>`, or the ActivityPub uri; `accounts.id` is `x:<id>` or `acct:user@host`.
- **The views that start with `v_` are the promise**: their names and columns stay. A person's correction overrules the
  model in every view. Tables may grow; a removed column is a breaking change and stands in CHANGELOG.md.
- An hour with little `coverage` is unknown, not quiet.

This page is made from the schema itself by `python docs/build.py`.
"""

SEARCH_NOTE = """\
The search index `post_search` holds Japanese and Chinese text as overlapping pairs of characters
(日本酒: `日本 本酒 酒`), symbols and emoji as `u` and their code point, and everything else as it is, so that
日本, 日本酒, coffee and ☕ are all found. Its second column holds the topics that match, so that a word that is common
elsewhere costs nothing here.
The query below cuts `:words` in the same way; full-width letters are to be typed half-width.
"""


def objects() -> dict[str, tuple[str, str, list[tuple[str, str]]]]:
    """Name -> (kind, sentence, columns with their sentence), of the schema's SQL."""
    found: dict[str, tuple[str, str, list[tuple[str, str]]]] = {}
    name = ""
    for _, script in scripts():
        for line in script.splitlines():
            if added := _ADDED.match(line):
                found[added[1]][2].append((added[2], added[3]))
            elif made := _OBJECT.match(line):
                kind, name, sentence = made.groups()
                found[name] = ("view" if kind == "VIEW" else "table", sentence, [])
            elif name and (column := _column(line)):
                found[name][2].append(column)
            if line.startswith((")", "FROM", "CREATE INDEX", "CREATE UNIQUE")):
                name = ""
    return found


def _column(line: str) -> tuple[str, str] | None:
    if " -- " not in line or (not line.startswith("  ") and not line.startswith("SELECT")):
        return None
    code, _, sentence = line.partition(" -- ")
    code = code.strip().rstrip(",")
    name = code.rpartition(" AS ")[2] if " AS " in code else code.split()[0]
    return name.strip("()"), sentence


def schema() -> str:
    """docs/schema.md."""
    parts = [SCHEMA_HEAD]
    for title, wanted in (("Views", "view"), ("Tables", "table")):
        parts.append(f"## {title}\n")
        for name, (kind, sentence, columns) in objects().items():
            if kind == wanted:
                parts.append(f"### {name}\n\n{sentence}\n")
                if columns:
                    rows = [f"| `{column}` | {meaning} |" for column, meaning in columns]
                    parts.append("\n".join(["| column | meaning |", "|---|---|", *rows]) + "\n")
    parts.append("## Ten questions\n\nParameters: `:topic`, `:since` (at most 30 days back), `:words`.\n")
    for query in QUERIES:
        note = f"\n{SEARCH_NOTE}" if query.name == "search" else ""
        parts.append(f"### {query.name}\n\n{query.question}\n{note}\n```sql\n{query.sql}\n```\n")
    return "\n".join(parts)


CONFIGURATION_HEAD = """\
# Configuration

One TOML file, `resonance.toml` in the working folder, or the file that `--config` or `$RESONANCE_CONFIG` names.
`resonance init` writes a commented one, `resonance check` says what works. An unknown key is an error.

A secret is best written as `"env:NAME"` (read from the environment) or `"file:PATH"`; it never reaches logs, errors or
the database. Every key can be set by the environment too: `RESONANCE_X__BEARER_TOKEN` stands above `bearer_token` of
`[x]`.

This page is made from `config/settings.py` by `python docs/build.py`.
"""


def configuration() -> str:
    """docs/configuration.md."""
    parts = [CONFIGURATION_HEAD, *_table("At the top of the file", Settings, skip_tables=True)]
    tables: list[tuple[str, type[BaseModel]]] = [
        ("`[[topics]]`", Topic),
        ("`[x]`", _model("x")),
        ("`[[mastodon]]`", MastodonInstance),
        ('`[[channels]]` with `type = "slack"`', SlackChannel),
        ('`[[channels]]` with `type = "email"`', EmailChannel),
        ('`[[channels]]` with `type = "apprise"`', AppriseChannel),
        ("`[alerts]`", _model("alerts")),
        ("`[schedule]`", _model("schedule")),
        ("`[model]`", _model("model")),
        ("`[health]`", _model("health")),
        ("`[dashboard]`", _model("dashboard")),
    ]
    for title, model in tables:
        parts += _table(title, model)
    return "\n".join(parts)


def _model(name: str) -> type[BaseModel]:
    annotation = Settings.model_fields[name].annotation
    assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation


def _table(title: str, model: type[BaseModel], skip_tables: bool = False) -> list[str]:
    rows = []
    for key, field in model.model_fields.items():
        if skip_tables and not isinstance(field.default, str | Path):
            continue
        rows.append(f"| `{key}` | {_default(field)} | {field.description or ''} |")
    first = (model.__doc__ or "").split("\n")[0] if not skip_tables else ""
    return [f"## {title}\n", f"{first}\n" if first else "", "| key | default | meaning |", "|---|---|---|", *rows, ""]


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    shown = "none" if value is None else f"`{value}`" if isinstance(value, Path) else f"`{value!r}`".replace("'", '"')
    choices = get_args(field.annotation)
    if choices and all(isinstance(c, str) for c in choices) and len(choices) > 1:
        shown += f" ({', '.join(choices)})"
    return shown


PAGES = {"schema.md": schema, "configuration.md": configuration}


def main() -> int:
    """Write every generated page."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
        print(f"docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
