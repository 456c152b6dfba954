"""The page on alerts names what there is."""

import re
from pathlib import Path

from alerts.rules import HABITS
from resonance.commands.alerts import alerts

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_every_rule_and_command_is_on_the_page():
    for rule in HABITS:
        assert f"| `{rule}` |" in PAGE
    for name in alerts.commands:
        assert f"`resonance alerts {name}" in PAGE
    for name in re.findall(r"`resonance alerts (\w+)", PAGE):
        assert name in alerts.commands


def test_every_fact_that_messages_read_is_on_the_page():
    source = "".join(path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "alerts").glob("*.py"))
    read = set(re.findall(r'facts\.get\("(\w+)"', source)) | set(re.findall(r'_number\(facts, "(\w+)"\)', source))
    assert {name for name in read if f"`{name}`" not in PAGE} == set()


def test_its_pictures_are_there():
    for name in re.findall(r"\]\((img/[^)]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / name).stat().st_size > 10_000


def test_the_sql_runs(store):
    found = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert len(found) == 2 and all(store.query(sql) == [] for sql in found)
