"""How pictures look and what they say, in Japanese and English."""

from __future__ import annotations

import unicodedata
from typing import Any

from alerts.charts import FONT, GREY, INK
from config.settings import Language

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6D1F", "#5E4FA2")
"""Okabe and Ito's colours, without their yellow, which does not carry on white."""
OTHER = "#9aa3ad"

WORDS: dict[Language, dict[str, str]] = {
    "ja": {
        "map": "{topic}：コミュニティの地図",
        "map_how": "円：アカウント、大きさ：波及力（いま人を動かす力）、色：コミュニティ、線：コミュニティをまたぐ反応",
        "map_when": "{start}〜{end}（{zone}）　{edges:,}件の反応",
        "members": "{size:,}人",
        "echo": "内輪度 {echo:.2f}",
        "more": "ほかに小さなコミュニティ {count:,}",
        "spread": "{author}の投稿の広がり",
        "facts": "{size:,}人（投稿者を含む）　{when}（{zone}）から{age}",
        "forecast": "7日後の予測 {size:,.0f}人（90%の幅 {low:,.0f}〜{high:,.0f}）　上位5%に入る確率 {top:.0%}",
        "observed": "広めた人",
        "expected": "そのときの予測",
        "band": "90%の幅",
        "size": "人数",
        "generation": "世代",
        "root": "投稿",
        "nth": "{n}次",
        "age": "投稿からの時間",
        "none": "そのほか",
        "minutes": "{n}分",
        "hours": "{n}時間",
        "days": "{n}日",
        "star": "だれの投稿を見て広めたかはネットワークが教えないため、すべて元の投稿につないでいます。",
        "counts": "ネットワークが数だけを教える投稿なので、だれを通って広がったかは分かりません。",
    },
    "en": {
        "map": "{topic}: map of communities",
        "map_how": "Circle: an account; size: resonance (how much it moves others now). Colour: community. "
        "Line: reactions between communities.",
        "map_when": "{start} to {end} ({zone}), {edges:,} reactions",
        "members": "{size:,} people",
        "echo": "echo {echo:.2f}",
        "more": "and {count:,} smaller communities",
        "spread": "How a post by {author} spread",
        "facts": "{size:,} people, author included, in {age} from {when} ({zone})",
        "forecast": "After 7 days: {size:,.0f} expected (90%: {low:,.0f} to {high:,.0f}); in the top 5%: {top:.0%}",
        "observed": "people so far",
        "expected": "forecast made then",
        "band": "90% interval",
        "size": "people",
        "generation": "generation",
        "root": "post",
        "nth": "{n}",
        "age": "time since the post",
        "none": "others",
        "minutes": "{n} min",
        "hours": "{n} h",
        "days": "{n} d",
        "star": "The network does not tell whose repost people saw, so all hang on the post itself.",
        "counts": "The network tells only counts of this post, so nobody knows through whom it spread.",
    },
}


def base(title: str, subtitle: list[str], width: int, height: int) -> dict[str, Any]:
    """What every picture begins with, as a Vega-Lite specification without marks."""
    axis = {"labelColor": GREY, "titleColor": GREY, "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": 400}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "padding": 24,
        "width": width,
        "height": height,
        "title": {"text": title, "subtitle": subtitle, "anchor": "start", "frame": "group", "offset": 14},
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": axis | {"gridColor": "#e6e8eb", "domainColor": "#c4c9cf", "tickColor": "#c4c9cf"},
            "title": {"color": INK, "fontSize": 22, "fontWeight": 400}
            | {"subtitleColor": GREY, "subtitleFontSize": 14, "subtitleLineHeight": 20},
            "legend": {
                "labelColor": INK,
                "labelFontSize": 13,
                "titleFontSize": 13,
                "symbolSize": 120,
                "labelLimit": 320,
            },
        },
    }


def shortened(text: str, most: int) -> str:
    """At most so many columns (a full-width character takes two), with … where something was left out."""
    plain, used = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split()), 0
    for place, character in enumerate(plain):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > most:
            return plain[:place].rstrip() + "…"
    return plain


def haloed(values: list[dict[str, Any]], x: Any, y: Any, **mark: Any) -> list[dict[str, Any]]:
    """Two layers of text (field `text`): a white rim, and the letters, so that they can be read on anything."""
    encoding = {"x": x, "y": y, "text": {"field": "text"}}
    rim = {"type": "text", "stroke": "white", "strokeWidth": 4, "strokeJoin": "round", "color": "white", **mark}
    letters = {"type": "text", "color": INK, **mark}
    return [{"data": {"values": values}, "mark": kind, "encoding": encoding} for kind in (rim, letters)]
