"""One post's spread: how many, what was forecast on the way, and through whom, generation by generation."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.charts import GREY, INK
from config import Topic
from config.settings import Language
from resonance.errors import UserError
from resonance.pictures.style import OTHER, PALETTE, WORDS, base, shortened
from store import Store
from store.records import from_iso

WIDTH, SIZES, TREE = 1000, 300, 260
GENERATIONS = 6  # followed at most
DRAWN = 3_000  # reactions drawn at most
COLOURED = 6  # communities with a colour of their own
TICKS = (600, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 3 * 86400, 5 * 86400, 7 * 86400)
LINE, BAND, EXPECTED = "#0b5394", "#a9c7e8", GREY


@dataclass(frozen=True, slots=True)
class Node:
    """A reaction that passed the post on: its own id, seconds after the root, generation, parent and community."""

    id: str
    account: str
    after: float
    generation: int
    parent: str
    community: str | None


def cascade_picture(store: Store, topic: Topic, post: str | None, language: Language) -> dict[str, Any]:
    """The picture as a Vega-Lite specification; of the largest cascade when no post is named.

    Raises UserError where nothing is known of the post's spread.
    """
    row = _cascade(store, topic, post)
    started, said = from_iso(row["started_at"]), WORDS[language]
    nodes = _nodes(store, row, started) if row["kind"] != "counts" else []
    series = _counts(store, row["post_id"], started) if row["kind"] == "counts" else _cumulated(nodes)
    forecasts = store.query(
        "SELECT * FROM forecasts WHERE topic = ? AND post_id = ? ORDER BY made_at", (topic.slug, row["post_id"])
    )
    until = max([at for at, _ in series] + [f["age_seconds"] for f in forecasts] + [600.0])
    sizes = {"width": WIDTH, "height": SIZES, "layer": _size_layers(series, forecasts, until, language)}
    panels = [sizes]
    if nodes:
        panels.append({"width": WIDTH, "height": TREE, "layer": _tree_layers(store, topic, nodes, until, language)})
    whole = base(said["spread"].format(author=_author(row)), _subtitle(row, forecasts, until, topic, language), 0, 0)
    del whole["width"], whole["height"]
    return whole | {"vconcat": panels, "spacing": 22, "resolve": {"scale": {"color": "independent"}}}


def _cascade(store: Store, topic: Topic, post: str | None) -> sqlite3.Row:
    rows = store.query(
        "SELECT c.*, p.author_id, p.text, a.handle FROM cascades c JOIN posts p ON p.id = c.post_id "
        "LEFT JOIN accounts a ON a.id = p.author_id WHERE c.topic = :topic AND (:post IS NULL OR c.post_id = :post) "
        "ORDER BY c.size DESC LIMIT 1",
        {"topic": topic.slug, "post": post},
    )
    if rows:
        return rows[0]
    if post is None:
        raise UserError(f"No post of {topic.slug} has been passed on often enough to be followed yet.")
    raise UserError(f"{post} is not among the followed posts of {topic.slug}; v_cascades_active lists them.")


def _nodes(store: Store, row: sqlite3.Row, started: datetime) -> list[Node]:
    """Everybody who passed the post on, or one of those who had, in order of time."""
    known = {row["post_id"]: 0}
    waiting, found = [row["post_id"]], []
    groups = _communities(store, row["topic"])
    for generation in range(1, GENERATIONS + 1):
        edges = store.query(
            "SELECT target_post_id, source_id, via_post_id, time_high FROM interactions "
            "WHERE kind IN ('reshare', 'quote') AND target_post_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY time_high LIMIT ?",
            (json.dumps(waiting), DRAWN),
        )
        waiting = []
        for edge in edges:
            own = edge["via_post_id"] or f"{edge['source_id']}>{edge['target_post_id']}"
            if own in known:
                continue
            known[own] = generation
            after = max(0.0, (from_iso(edge["time_high"]) - started).total_seconds())
            account = edge["source_id"]
            found.append(Node(own, account, after, generation, edge["target_post_id"], groups.get(account)))
            waiting.append(own)
    return sorted(found, key=lambda node: (node.after, node.id))


def _communities(store: Store, topic: str) -> dict[str, str]:
    run = store.one("SELECT run_id FROM v_runs_latest WHERE kind = 'graph' AND topic = ?", (topic,))
    rows = store.query("SELECT account_id, community FROM memberships WHERE run_id = ?", (run,))
    return {row[0]: row[1] for row in rows}


def _cumulated(nodes: list[Node]) -> list[tuple[float, float]]:
    return [(0.0, 1.0), *((node.after, place + 2.0) for place, node in enumerate(nodes))]


def _counts(store: Store, post: str, started: datetime) -> list[tuple[float, float]]:
    rows = store.query(
        "SELECT observed_at, MAX(COALESCE(reshares, 0) + COALESCE(quotes, 0)) FROM metrics WHERE post_id = ? "
        "GROUP BY observed_at ORDER BY observed_at",
        (post,),
    )
    points = ((max(0.0, (from_iso(row[0]) - started).total_seconds()), row[1] + 1.0) for row in rows)
    return [(0.0, 1.0), *points]


def _author(row: sqlite3.Row) -> str:
    handle = row["handle"] or (row["author_id"] or "?").split(":", 1)[-1]
    return "@" + shortened(handle.split("@")[0], 30)


def _subtitle(
    row: sqlite3.Row, forecasts: list[sqlite3.Row], until: float, topic: Topic, language: Language
) -> list[str]:
    said, zone = WORDS[language], ZoneInfo(topic.timezone)
    when = from_iso(row["started_at"]).astimezone(zone).strftime("%Y-%m-%d %H:%M")
    facts = said["facts"].format(size=row["size"], when=when, zone=zone.key, age=_duration(until, language))
    lines = [f"「{shortened(row['text'], 96)}」" if language == "ja" else f"“{shortened(row['text'], 96)}”", facts]
    if forecasts:
        last = forecasts[-1]
        told = {key: last[key] for key in ("size", "low", "high")}
        lines.append(said["forecast"].format(top=last["p_top5"], **told))
    return lines + ([said[row["kind"]]] if row["kind"] in ("counts", "star") else [])


def _duration(seconds: float, language: Language) -> str:
    said = WORDS[language]
    for unit, key in ((86400, "days"), (3600, "hours")):
        if seconds >= 1.95 * unit:
            return said[key].format(
                n=f"{seconds / unit:.1f}".removesuffix(".0") if unit > 3600 else round(seconds / unit)
            )
    return said["minutes"].format(n=round(seconds / 60))


def _age(until: float, language: Language, title: bool) -> dict[str, Any]:
    """Time since the post, by its root: the beginning tells most. The ticks are written in words."""
    ticks = [t for t in TICKS if t <= until * 1.02]
    names = {tick: WORDS[language][key].format(n=tick // unit) for tick in ticks for key, unit in [_unit(tick)]}
    axis = {
        **{"values": [0, *ticks], "grid": False, "title": WORDS[language]["age"] if title else None},
        "labelExpr": f"({json.dumps({str(t): n for t, n in names.items()}, ensure_ascii=False)})[datum.value] || '0'",
    }
    scale = {"type": "sqrt", "domain": [0, until * 1.04], "nice": False}
    return {"field": "x", "type": "quantitative", "axis": axis, "scale": scale}


def _unit(seconds: int) -> tuple[str, int]:
    if seconds >= 86400:
        return "days", 86400
    return ("hours", 3600) if seconds >= 3600 else ("minutes", 60)


def _size_layers(
    series: list[tuple[float, float]], forecasts: list[sqlite3.Row], until: float, language: Language
) -> list[dict[str, Any]]:
    said, x = WORDS[language], _age(until, language, title=False)
    highest = max([size for _, size in series] + [f["high"] for f in forecasts])
    steps = [t * 10**power for power in range(7) for t in (1, 3)]
    shown = [step for step in steps if step <= highest * 1.2] + [s for s in steps if s > highest * 1.2][:1]
    scale = {"type": "log", "domain": [1, shown[-1]], "nice": False}
    y = {"type": "quantitative", "scale": scale, "axis": {"values": shown, "format": ",d", "title": said["size"]}}
    told = [
        {"x": f["age_seconds"], "size": max(1, f["size"]), "low": max(1, f["low"]), "high": max(1, f["high"])}
        for f in forecasts
    ]
    kinds = [("observed", LINE)] + ([("expected", EXPECTED), ("band", BAND)] if told else [])
    colour = {
        "type": "nominal",
        "scale": {"domain": [said[kind] for kind, _ in kinds], "range": [colour for _, colour in kinds]},
        "legend": {"title": None, "orient": "top", "symbolType": "square", "symbolStrokeWidth": 0, "symbolOpacity": 1},
    }
    data = [{"x": at, "y": size} for at, size in [*series, (until, series[-1][1])]]
    observed = {
        "data": {"values": data},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2.6},
        "encoding": {"x": x, "y": y | {"field": "y"}, "color": colour | {"datum": said["observed"]}},
    }
    if not told:
        return [observed]
    step = {"interpolate": "step-after"}
    band = {
        "data": {"values": told},
        "mark": {"type": "area", "opacity": 0.6, **step},
        "encoding": {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}}
        | {"color": colour | {"datum": said["band"]}},
    }
    expected = {
        "data": {"values": told},
        "mark": {"type": "line", "strokeDash": [5, 4], "strokeWidth": 1.8, **step},
        "encoding": {"x": x, "y": y | {"field": "size"}, "color": colour | {"datum": said["expected"]}},
    }
    return [band, expected, observed]


def _tree_layers(
    store: Store, topic: Topic, nodes: list[Node], until: float, language: Language
) -> list[dict[str, Any]]:
    said, x = WORDS[language], _age(until, language, title=True)
    places = _places(nodes)
    names, colours = _legend(store, topic, nodes)
    if any(node.community not in names for node in nodes):
        names, colours = names | {"": said["none"]}, [*colours, OTHER]
    last = max(node.generation for node in nodes)
    labels = json.dumps([said["root"], *(said["nth"].format(n=n) for n in range(1, last + 1))], ensure_ascii=False)
    y = {
        **{"field": "y", "type": "quantitative", "scale": {"domain": [last + 0.55, -0.45], "nice": False}},
        "axis": {
            **{
                "values": list(range(last + 1)),
                "grid": False,
                "title": said["generation"],
                "ticks": False,
                "labelPadding": 16,
            },
            **{"labelExpr": f"({labels})[datum.value]", "domain": False},
        },
    }
    points = [
        {"x": places[node.id][0], "y": places[node.id][1], "group": names.get(node.community or "", said["none"])}
        for node in nodes
    ]
    links = [dict(zip(("x2", "y2", "x", "y"), (*places[node.parent], *places[node.id]), strict=True)) for node in nodes]
    colour = {
        **{"field": "group", "type": "nominal"},
        "scale": {"domain": list(names.values()), "range": colours},
        "legend": {"title": None, "orient": "bottom", "symbolType": "circle", "columns": 3, "offset": 4},
    }
    faint = max(0.05, min(0.5, 30 / len(nodes)))
    return [
        {
            "data": {"values": links},
            "mark": {"type": "rule", "color": INK, "opacity": faint, "strokeWidth": 0.8},
            "encoding": {"x": x, "y": y, "x2": {"field": "x2"}, "y2": {"field": "y2"}},
        },
        {
            "data": {"values": points},
            "mark": {
                "type": "point",
                "filled": True,
                "opacity": 0.9,
                "size": 46,
                "stroke": "white",
                "strokeWidth": 0.6,
            },
            "encoding": {"x": x, "y": y, "color": colour},
        },
        {
            "data": {"values": [{"x": 0.0, "y": 0.0}]},
            "mark": {"type": "point", "filled": True, "size": 220, "opacity": 1, "color": INK},
            "encoding": {"x": x, "y": y},
        },
    ]


def _places(nodes: list[Node]) -> dict[str, tuple[float, float]]:
    """Where each node lies: its time, and its generation with a little spread so that few hide each other."""
    parents = {node.parent for node in nodes}
    places = {node.parent: (0.0, 0.0) for node in nodes if node.generation == 1}
    for place, node in enumerate(nodes):
        spread = 0.0 if node.id in parents else ((place * 0.618034) % 1 - 0.5) * 0.8
        places[node.id] = (node.after, node.generation + spread)
    return places


def _legend(store: Store, topic: Topic, nodes: list[Node]) -> tuple[dict[str, str], list[str]]:
    """Names of the communities that took most part, and their colours in the same order; the rest share one."""
    counts = Counter(node.community for node in nodes if node.community)
    run = store.one("SELECT run_id FROM v_runs_latest WHERE kind = 'graph' AND topic = ?", (topic.slug,))
    rows = store.query(
        "SELECT community, label FROM communities WHERE run_id = ? AND level = 'coarse' ORDER BY size DESC", (run,)
    )
    order = [row["community"] for row in rows][: len(PALETTE)]
    most = [community for community, _ in counts.most_common(COLOURED)]
    labels = {row["community"]: row["label"] for row in rows}
    names, taken = {}, []
    for community in most:
        names[community] = f"{shortened(labels.get(community, community), 28)} ({counts[community]:,})"
        free = [c for c in PALETTE if c not in taken]
        at = order.index(community) if community in order else -1
        taken.append(PALETTE[at] if 0 <= at < len(PALETTE) and PALETTE[at] in free else free[0])
    return names, taken
