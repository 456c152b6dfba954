"""Slack's Block Kit as an HTML page that looks like Slack, for the docs and for eyes; no script, no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

STYLE = """
body { margin: 0; padding: 24px; background: #fff; color: #1d1c1d; font: 15px/1.47 Lato, 'Noto Sans CJK JP',
  'Hiragino Sans', 'Segoe UI', sans-serif; }
.message { max-width: 680px; display: flex; gap: 10px; }
.icon { flex: none; width: 38px; height: 38px; border-radius: 6px; background: #1264a3; color: #fff; font-weight: 700;
  display: flex; align-items: center; justify-content: center; font-size: 20px; }
.who { font-weight: 900; } .app { background: #e8e8e8; border-radius: 2px; font-size: 10px; padding: 1px 3px;
  margin: 0 6px; vertical-align: 2px; color: #616061; } .at { color: #616061; font-size: 12px; }
h3 { font-size: 18px; line-height: 1.33; margin: 8px 0 6px; } .block { margin: 0 0 8px; white-space: pre-wrap;
  overflow-wrap: anywhere; }
blockquote { margin: 2px 0; padding: 0 0 0 12px; border-left: 4px solid #ddd; }
ul { margin: 0; padding-left: 22px; } hr { border: 0; border-top: 1px solid #ddd; margin: 8px 0 12px; }
code { border: 1px solid #ddd; background: #f8f8f8; border-radius: 3px; padding: 1px 4px; font: 12px/1.5 Menlo,
  Consolas, 'DejaVu Sans Mono', monospace; color: #e01e5a; }
.dot { display: inline-block; width: 15px; height: 15px; border-radius: 50%; margin-right: 2px; vertical-align: -1px; }
.button { display: inline-block; border: 1px solid #bbb; border-radius: 4px; padding: 3px 12px; margin-right: 8px;
  font-weight: 700; font-size: 13px; }
a { color: #1264a3; text-decoration: none; } .context { color: #616061; font-size: 13px; }
"""


def page(payloads: Iterable[Mapping[str, Any]], *, who: str = "resonance", at: str = "", head: str = "") -> str:
    """The messages as one HTML page; `head` is put into <head> as it is (fonts, for instance)."""
    messages = "".join(_message(payload, who, at) for payload in payloads)
    top = f'<!DOCTYPE html><html><head><meta charset="utf-8"><style>{STYLE}</style>{head}</head>'
    return f"{top}<body>{messages}</body></html>"


def _message(payload: Mapping[str, Any], who: str, at: str) -> str:
    blocks = "".join(_block(block) for block in payload.get("blocks") or [])
    if not blocks:
        blocks = f'<div class="block">{escape(str(payload.get("text", "")))}</div>'
    name = f'<span class="who">{escape(who)}</span><span class="app">APP</span><span class="at">{escape(at)}</span>'
    return f'<div class="message"><div class="icon">r</div><div>{name}{blocks}</div></div>'


def _block(block: Mapping[str, Any]) -> str:
    kind = block["type"]
    if kind == "header":
        return f"<h3>{_dots(escape(block['text']['text']))}</h3>"
    if kind == "divider":
        return "<hr>"
    if kind == "context":
        texts = " ".join(escape(element["text"]) for element in block["elements"])
        return f'<div class="block context">{texts}</div>'
    if kind == "actions":
        buttons = "".join(f'<span class="button">{escape(e["text"]["text"])}</span>' for e in block["elements"])
        return f'<div class="block">{buttons}</div>'
    if kind == "rich_text":
        return f'<div class="block">{"".join(_rich(element) for element in block["elements"])}</div>'
    raise ValueError(f"no picture of a {kind} block")


def _dots(text: str) -> str:
    """Coloured circles drawn by CSS: a fresh machine has no emoji font."""
    for emoji, colour in (("🔴", "#dd2e44"), ("🟢", "#2ea44f"), ("🔵", "#2f80ed"), ("⚪", "#c4c9cf")):
        text = text.replace(emoji, f'<i class="dot" style="background:{colour}"></i>')
    return text


def _rich(element: Mapping[str, Any]) -> str:
    inner = [_rich(child) if "elements" in child else _leaf(child) for child in element["elements"]]
    if element["type"] == "rich_text_list":
        return f"<ul>{''.join(f'<li>{item}</li>' for item in inner)}</ul>"
    tag = "blockquote" if element["type"] == "rich_text_quote" else "div"
    return f"<{tag}>{''.join(inner)}</{tag}>"


def _leaf(leaf: Mapping[str, Any]) -> str:
    text = escape(str(leaf.get("text", "")))
    if leaf["type"] == "link":
        return f'<a href="{escape(str(leaf["url"]))}" rel="noopener noreferrer nofollow">{text}</a>'
    for style, tag in (("bold", "b"), ("italic", "i"), ("code", "code")):
        if leaf.get("style", {}).get(style):
            text = f"<{tag}>{text}</{tag}>"
    return text
