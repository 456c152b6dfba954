"""The map of a topic's communities: its most resonant accounts, and what passes between them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from alerts.charts import GREY
from analysis.graph import FloatArray, IntArray, Interactions
from config import Topic
from config.settings import Language
from resonance.errors import UserError
from resonance.pictures.layout import packed
from resonance.pictures.style import OTHER, PALETTE, WORDS, base, haloed, shortened
from resonance.pipeline.reading import Window, interactions
from store import Store
from store.records import from_iso

WIDTH, HEIGHT = 1120, 600
LABEL = 44  # height of a community's two lines
MOST = 8  # communities drawn
EACH = 40  # accounts drawn of one community
NAMED = 3  # accounts named in one community
LEAST = 8  # members of a drawn community, and 1% of the largest
SMALLEST, LARGEST = 3.0, 30.0  # radius of an account


@dataclass(frozen=True, slots=True)
class Group:
    """A drawn community: its row of the store, its accounts (rows of resonance), and how large they are."""

    row: sqlite3.Row
    accounts: list[sqlite3.Row]
    radius: FloatArray
    place: FloatArray
    reach: float


def communities_map(store: Store, topic: Topic, language: Language) -> dict[str, Any]:
    """The map as a Vega-Lite specification, from the newest finished analysis.

    Raises UserError where there is none yet.
    """
    run = _newest(store, topic)
    found = interactions(store, topic, Window(from_iso(run["window_from"]), from_iso(run["window_to"])))
    rows = store.query(
        "SELECT * FROM communities WHERE run_id = ? AND level = 'coarse' ORDER BY size DESC, community", (run["id"],)
    )
    groups = [group for row in rows[:MOST] if (group := _group(store, run["id"], row, rows[0], found))]
    if not groups:
        raise UserError(f"The last analysis of {topic.slug} found no communities. Wait until more people have reacted.")
    between = _between(store, run["id"], found, groups)
    centres = _fitted(groups, between)
    said, zone = WORDS[language], ZoneInfo(topic.timezone)
    start, end = (from_iso(run[key]).astimezone(zone).strftime("%Y-%m-%d") for key in ("window_from", "window_to"))
    subtitle = [said["map_how"], said["map_when"].format(start=start, end=end, zone=zone.key, edges=len(found))]
    if len(rows) > len(groups):
        subtitle[1] += "　" + said["more"].format(count=len(rows) - len(groups))
    title = said["map"].format(topic=shortened(topic.name or topic.slug, 60))
    return base(title, subtitle, WIDTH, HEIGHT) | {"layer": _layers(groups, centres, between, language)}


def _newest(store: Store, topic: Topic) -> sqlite3.Row:
    rows = store.query(
        "SELECT * FROM runs WHERE topic = ? AND kind = 'graph' AND state = 'done' ORDER BY id DESC LIMIT 1",
        (topic.slug,),
    )
    if not rows:
        raise UserError(f"{topic.slug} has not been analysed yet. `resonance run --once` does it.")
    return rows[0]


def _group(store: Store, run: int, row: sqlite3.Row, largest: sqlite3.Row, found: Interactions) -> Group | None:
    """One community with its accounts in their places; None for one too small beside the largest."""
    accounts = store.query(
        "SELECT r.account_id, r.resonance, a.handle FROM resonance r LEFT JOIN accounts a ON a.id = r.account_id "
        "WHERE r.run_id = ? AND r.community = ? ORDER BY r.rank LIMIT ?",
        (run, row["community"], EACH),
    )
    if not accounts or row["size"] < max(LEAST, 0.01 * largest["size"]):
        return None
    strength = np.array([account["resonance"] for account in accounts], float)
    radius = SMALLEST + (LARGEST - SMALLEST) * np.sqrt(strength / 60)
    radius = np.minimum(radius, 1.4 * LARGEST)
    place = packed(radius, _together(found, [account["account_id"] for account in accounts]), 2.5)
    place -= (place * radius[:, None]).sum(axis=0) / radius.sum()
    reach = float((np.linalg.norm(place, axis=1) + radius).max()) + 8
    return Group(row, accounts, radius, place, reach)


def _together(found: Interactions, names: list[str]) -> FloatArray:
    """How many people react to both of two accounts, over the root of those who react to either (n, n)."""
    rank = np.full(len(found.accounts), -1)
    for place, name in enumerate(names):
        code = found.code(name)
        if code is not None:
            rank[code] = place
    told = rank[found.target] >= 0
    reactors, position = np.unique(found.source[told], return_inverse=True)
    table = np.zeros((len(names), len(reactors)), np.float32)
    table[rank[found.target[told]], position] = 1
    shared = (table @ table.T).astype(float)
    scale = np.sqrt(np.maximum(np.diag(shared), 1))
    np.fill_diagonal(shared, 0)
    result: FloatArray = shared / scale[:, None] / scale[None, :]
    return result


def _between(store: Store, run: int, found: Interactions, groups: list[Group]) -> FloatArray:
    """Reactions between each two drawn communities (g, g), both directions."""
    position = {group.row["community"]: place for place, group in enumerate(groups)}
    member: IntArray = np.full(len(found.accounts), -1, np.int64)
    for row in store.query("SELECT account_id, community FROM memberships WHERE run_id = ?", (run,)):
        code = found.code(row["account_id"])
        if code is not None:
            member[code] = position.get(row["community"], -1)
    source, target = member[found.source], member[found.target]
    told = (source >= 0) & (target >= 0) & (source != target)
    counts = np.zeros((len(groups), len(groups)))
    np.add.at(counts, (source[told], target[told]), 1)
    return counts + counts.T


def _fitted(groups: list[Group], between: FloatArray) -> FloatArray:
    """Centres of the communities (g, 2); scales nothing but shifts all into the picture."""
    reach = np.array([group.reach for group in groups])
    centres = packed(reach + LABEL / 2, between, 0, WIDTH / HEIGHT)
    low, high = (centres - reach[:, None]).min(axis=0), (centres + reach[:, None]).max(axis=0)
    shifted: FloatArray = centres - (low + high) / 2
    return shifted


def _layers(groups: list[Group], centres: FloatArray, between: FloatArray, language: Language) -> list[dict[str, Any]]:
    reach = np.array([group.reach for group in groups])
    extent = np.abs(centres) + reach[:, None] + np.array([30.0, LABEL])
    scale = min(WIDTH / 2 / extent[:, 0].max(), HEIGHT / 2 / extent[:, 1].max(), 2.0)
    centres = centres * scale + np.array([WIDTH / 2, HEIGHT / 2])
    x = {"field": "x", "type": "quantitative", "axis": None, "scale": {"domain": [0, WIDTH], "nice": False}}
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [0, HEIGHT], "nice": False}}
    return [
        _bridges(centres, between, x, y),
        _circles(_rims(groups, centres, scale), x, y, 0.1, None),
        _circles(_accounts(groups, centres, scale), x, y, 0.9, "white"),
        *haloed(_names(groups, centres, scale), x, y, fontSize=12, baseline="middle"),
        *haloed(_labels(groups, centres, scale, 0, language), x, y, fontSize=17, baseline="bottom", dy=-20),
        *haloed(_labels(groups, centres, scale, 1, language), x, y, fontSize=13, baseline="bottom", dy=-3, color=GREY)[
            1:
        ],
    ]


def _circles(values: list[dict[str, Any]], x: Any, y: Any, opacity: float, rim: str | None) -> dict[str, Any]:
    colour, size = {"field": "colour", "type": "nominal", "scale": None}, {"field": "size", "type": "quantitative"}
    return {
        "data": {"values": values},
        "mark": {"type": "point", "filled": True, "opacity": opacity, "stroke": rim, "strokeWidth": 1},
        "encoding": {"x": x, "y": y, "color": colour, "size": size | {"scale": None, "legend": None}},
    }


def _bridges(centres: FloatArray, between: FloatArray, x: Any, y: Any) -> dict[str, Any]:
    most = max(float(between.max()), 1.0)
    values = [
        {
            **{"x": centres[a, 0], "y": centres[a, 1], "x2": centres[b, 0], "y2": centres[b, 1]},
            "width": 1.5 + 12 * np.sqrt(between[a, b] / most),
        }
        for a in range(len(centres))
        for b in range(a)
        if between[a, b] > 0
    ]
    width = {"field": "width", "type": "quantitative", "scale": None, "legend": None}
    return {
        "data": {"values": values},
        "mark": {"type": "rule", "color": "#c9ced4", "opacity": 0.6, "strokeCap": "round"},
        "encoding": {"x": x, "y": y, "x2": {"field": "x2"}, "y2": {"field": "y2"}, "strokeWidth": width},
    }


def _colour(place: int) -> str:
    return PALETTE[place] if place < len(PALETTE) else OTHER


def _rims(groups: list[Group], centres: FloatArray, scale: float) -> list[dict[str, Any]]:
    return [
        {"x": centres[i, 0], "y": centres[i, 1], "size": (2 * group.reach * scale) ** 2, "colour": _colour(i)}
        for i, group in enumerate(groups)
    ]


def _accounts(groups: list[Group], centres: FloatArray, scale: float) -> list[dict[str, Any]]:
    return [
        {
            **{"x": centres[i, 0] + place[0] * scale, "y": centres[i, 1] + place[1] * scale},
            **{"size": (2 * radius * scale) ** 2, "colour": _colour(i)},
        }
        for i, group in enumerate(groups)
        for place, radius in zip(group.place, group.radius.tolist(), strict=True)
    ]


def _names(groups: list[Group], centres: FloatArray, scale: float) -> list[dict[str, Any]]:
    """Handles of the most resonant accounts, under their circles."""
    values = []
    for i, group in enumerate(groups):
        named = NAMED if group.reach * scale > 70 else 1
        for account, place in list(zip(group.accounts, group.place, strict=True))[:named]:
            handle = account["handle"] or account["account_id"].split(":", 1)[-1]
            spot = {"x": centres[i, 0] + place[0] * scale, "y": centres[i, 1] + place[1] * scale}
            text = "@" + shortened(handle.split("@")[0], 22)
            values += [] if text == group.row["label"] else [spot | {"text": text}]
    return values


def _labels(
    groups: list[Group], centres: FloatArray, scale: float, line: int, language: Language
) -> list[dict[str, Any]]:
    said, values = WORDS[language], []
    for i, group in enumerate(groups):
        echo = group.row["echo_chamber"]
        facts = said["members"].format(size=group.row["size"])
        facts += "" if echo is None else " · " + said["echo"].format(echo=echo)
        text = facts if line else shortened(group.row["label"], 30)
        values.append({"x": centres[i, 0], "y": centres[i, 1] + group.reach * scale, "text": text})
    return values
