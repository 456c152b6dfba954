"""Charts as Vega-Lite, and as PNG without a browser: vl-convert, with a Japanese font that comes with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts import wording as w
from alerts.read import Incident
from alerts.values import SHARES, rows, step
from config.settings import Language
from store.records import from_iso

FONT = "Noto Sans CJK JP"
WIDTH, HEIGHT, SCALE = 584, 220, 2
INK, GREY = "#1f2328", "#57606a"
COLOURS = {"observed": "#0b5394", "expected": GREY, "band": "#a9c7e8", "forecast": "#009e73", "alert": "#d55e00"}
"""Blue, green and vermilion of Okabe and Ito: told apart with every common colour blindness, and by shape too."""
MAX_ROWS = 400
WHOLE = 5
"""From this height on, five ticks stand at whole numbers."""
SECONDS = 60
PNG = b"\x89PNG"
STYLE = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": {"labelColor": GREY, "labelFontSize": 11, "gridColor": "#e6e8eb", "domainColor": "#c4c9cf",
             "tickColor": "#c4c9cf"},
    "legend": {"labelColor": INK, "labelFontSize": 11, "symbolSize": 90, "padding": 0, "offset": 6},
    "title": {"color": INK, "fontSize": 14, "fontWeight": "normal", "subtitleColor": GREY, "subtitleFontSize": 11},
}  # fmt: skip


class ChartError(RuntimeError):
    """A picture could not be drawn."""

    exit_code = 1


def chart(incident: Incident, language: Language, zone: ZoneInfo, title: str) -> bytes | None:
    """A PNG of the observed line against the usual band, the alert marked; None when there is too little to draw."""
    series = rows(incident.facts)[-MAX_ROWS:]
    if sum(row[1] is not None for row in series) < 3:
        return None
    return render(spec(incident, series, language, zone, title))


def spec(
    incident: Incident, series: Sequence[list[Any]], language: Language, zone: ZoneInfo, title: str
) -> dict[str, Any]:
    """The chart as a Vega-Lite specification; pure."""
    said = w.strings(language)["chart"]
    share = incident.rule in SHARES
    data = [_row(row, zone) for row in series]
    marks = _marks(incident, series, data)
    has_band = any(row[2] is not None for row in series)
    forecast = _forecast(incident, data)
    axis, scale = _amounts(incident, series, forecast, share)
    drawn = ["observed", *(["expected", "band"] if has_band else []), *(["forecast"] if forecast else [])]
    drawn += ["alert"] if marks else []
    legend = {"title": None, "orient": "top", "symbolType": "square", "symbolStrokeWidth": 0, "symbolOpacity": 1}
    scale_of_colours = {"domain": [said[kind] for kind in drawn], "range": [COLOURS[kind] for kind in drawn]}
    colour = {"field": "kind", "type": "nominal", "scale": scale_of_colours, "legend": legend}
    time = {"field": "time", "type": "temporal", "axis": _time_axis(language), "scale": {"type": "utc"}, "title": None}

    def layer(kind: str, field: str, mark: dict[str, Any], **encoding: Any) -> dict[str, Any]:
        y = {**_quantity(field), "axis": axis, "scale": scale}
        return _layer(data, said[kind], mark, {"x": time, "color": colour, "y": y, **encoding})

    band = layer("band", "low", {"type": "area", "opacity": 0.55}, y2={"field": "high"})
    expected = layer("expected", "expected", {"type": "line", "strokeDash": [4, 3], "strokeWidth": 1.5})
    layers = [band, expected] if has_band else []
    layers.append(layer("observed", "observed", {"type": "line", "strokeWidth": 2.4}))
    layers += _lone_layers(data, said, colour, time)
    layers += _alert_layers(marks, said, colour, time)
    layers += _forecast_layers(forecast, said, colour)
    subtitle = _subtitle(incident, said, language, zone)
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": STYLE,
        "width": WIDTH - 70,
        "height": HEIGHT,
        "background": "white",
        "padding": 12,
        "title": {"text": title, "subtitle": subtitle, "anchor": "start", "frame": "group", "offset": 8},
        "layer": layers,
    }


def _quantity(field: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative"}


def _layer(data: list[dict[str, Any]], name: str, mark: dict[str, Any], encoding: dict[str, Any]) -> dict[str, Any]:
    """One mark over its own rows; `name` is what the legend calls it."""
    named = [{"calculate": repr(name), "as": "kind"}]
    return {"data": {"values": data}, "transform": named, "mark": mark, "encoding": encoding}


def _amounts(
    incident: Incident, series: Sequence[list[Any]], forecast: list[dict[str, Any]], share: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Axis and scale; a cascade's are logarithmic, for its forecast may reach far beyond what is seen."""
    if incident.rule != "viral_cascade":
        most = max((value for row in series for value in row[1:] if value is not None), default=0.0)
        amount = ",d" if most >= WHOLE else ","  # "," alone makes 50 of few ticks `5e+1`
        return {"title": None, "format": ".0%" if share else amount, "tickCount": 5}, {"zero": True, "nice": True}
    highest = max([row[1] or 0 for row in series] + [one["high"] for one in forecast])
    ticks = [0, *(t * 10**power for power in range(7) for t in (1, 3))]
    shown = [t for t in ticks if t <= 1.2 * highest] + [next((t for t in ticks if t > 1.2 * highest), highest)]
    axis = {"title": None, "format": ",d", "values": shown}
    return axis, {"type": "symlog", "constant": 3, "domain": [0, shown[-1]], "nice": False}


def _row(row: list[Any], zone: ZoneInfo) -> dict[str, Any]:
    return {
        "time": _local(from_iso(row[0]), zone),
        "observed": row[1],
        "expected": row[2],
        "low": row[3],
        "high": row[4],
    }


def _local(moment: datetime, zone: ZoneInfo) -> str:
    """The wall clock of the topic, labelled as UTC so that Vega draws it unchanged on every machine."""
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%SZ")


def _marks(incident: Incident, series: Sequence[list[Any]], data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last row at or before the alert."""
    before = [n for n, row in enumerate(series) if from_iso(row[0]) <= incident.opened_at and row[1] is not None]
    if not before:
        return []
    return [{"time": data[before[-1]]["time"], "observed": data[before[-1]]["observed"]}]


def _alert_layers(marks: list[dict[str, Any]], said: dict[str, str], colour: Any, time: Any) -> list[dict[str, Any]]:
    if not marks:
        return []
    encoding = {"x": time, "color": colour}
    rule = {"type": "rule", "strokeDash": [2, 2], "strokeWidth": 1.3}
    point = {"type": "point", "shape": "diamond", "filled": True, "size": 110, "opacity": 1}
    point |= {"stroke": "white", "strokeWidth": 1}
    return [
        _layer(marks, said["alert"], rule, encoding),
        _layer(marks, said["alert"], point, {**encoding, "y": _quantity("observed")}),
    ]


def _lone_layers(data: list[dict[str, Any]], said: dict[str, str], colour: Any, time: Any) -> list[dict[str, Any]]:
    """What is known between two unknown rows, as a dot and a bar: lines and areas need two rows to be seen."""
    known = [False, *(row["observed"] is not None for row in data), False]
    lone = [row for n, row in enumerate(data, 1) if known[n] and not (known[n - 1] or known[n + 1])]
    if not lone:
        return []
    encoding = {"x": time, "color": colour}
    bar = {"type": "rule", "strokeWidth": 8, "opacity": 0.55}
    dot = {"type": "point", "filled": True, "size": 45, "opacity": 1}
    banded = [row for row in lone if row["low"] is not None]
    bars = [_layer(banded, said["band"], bar, {**encoding, "y": _quantity("low"), "y2": {"field": "high"}})]
    dots = [_layer(lone, said["observed"], dot, {**encoding, "y": _quantity("observed")})]
    return (bars if banded else []) + dots


def _forecast(incident: Incident, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A cascade's forecast as a point right of the line; empty when there is none."""
    values = [incident.facts.get(key) for key in ("forecast", "forecast_low", "forecast_high")]
    if incident.rule != "viral_cascade" or any(not isinstance(v, int | float) for v in values):
        return []
    first, last = (datetime.fromisoformat(data[n]["time"]) for n in (0, -1))
    at = last + max((last - first) * 0.12, timedelta(minutes=10))
    return [{"time": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "value": values[0], "low": values[1], "high": values[2]}]


def _forecast_layers(forecast: list[dict[str, Any]], said: dict[str, str], colour: Any) -> list[dict[str, Any]]:
    if not forecast:
        return []
    encoding = {"x": {"field": "time", "type": "temporal"}, "color": colour}
    bar = {"type": "rule", "strokeWidth": 6, "strokeCap": "round", "opacity": 0.55}
    point = {"type": "point", "filled": True, "size": 80, "opacity": 1}
    return [
        _layer(forecast, said["forecast"], bar, {**encoding, "y": _quantity("low"), "y2": {"field": "high"}}),
        _layer(forecast, said["forecast"], point, {**encoding, "y": _quantity("value")}),
    ]


def _time_axis(language: Language) -> dict[str, Any]:
    """Hours; the date where a day begins."""
    day = "%-m/%-d" if language == "ja" else "%-d %b"
    expression = (
        f"utchours(datum.value) == 0 && utcminutes(datum.value) == 0 "
        f"? utcFormat(datum.value, '{day}') : utcFormat(datum.value, '%H:%M')"
    )
    return {"labelExpr": expression, "tickCount": 8, "grid": False, "labelOverlap": "greedy"}


def _subtitle(incident: Incident, said: dict[str, str], language: Language, zone: ZoneInfo) -> str:
    length = step(incident.facts)
    text = said.get(incident.rule, "").format(step=w.duration(language, length) if length else "")
    return f"{text} · {said['axis'].format(zone=zone.key)}"


def render(specification: dict[str, Any]) -> bytes:
    """A PNG at twice the nominal size, drawn by a child process. Raises ChartError when there is none."""
    # What the renderer takes, 60 MiB and more with each picture, it never gives back while its process lives.
    command = [sys.executable, "-m", "alerts.drawing", str(SCALE)]
    try:
        done = subprocess.run(command, input=json.dumps(specification).encode(), capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ChartError(
            f"The picture was not drawn within {SECONDS} seconds. Try again when the machine is less busy."
        ) from None
    if done.returncode != 0 or not done.stdout.startswith(PNG):
        told = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ChartError(f"The picture could not be drawn; its process ended with code {done.returncode}. {told[:300]}")
    return done.stdout
