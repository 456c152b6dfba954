"""Charts as PNG, without a browser: altair and vl-convert, with a Japanese font that comes with the installation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

from alerts import wording as w
from alerts.read import Incident
from alerts.values import rows, step
from config.settings import Language
from store.records import from_iso

FONT = "Noto Sans CJK JP"
WIDTH, HEIGHT, SCALE = 584, 220, 2
INK, GREY, LINE, BAND, ALERT = "#1f2328", "#57606a", "#0b5394", "#a9c7e8", "#d55e00"
"""Blue against vermilion: told apart with every common kind of colour blindness, and by shape as well."""
MAX_ROWS = 400


def chart(incident: Incident, language: Language, zone: ZoneInfo, title: str) -> bytes | None:
    """A PNG of the observed line against the usual band, the alert marked; None when there is too little to draw."""
    series = rows(incident.facts)[-MAX_ROWS:]
    if sum(row[1] is not None for row in series) < 3:
        return None
    return render(spec(incident, series, language, zone, title))


def spec(incident: Incident, series: Sequence[list[Any]], language: Language, zone: ZoneInfo, title: str) -> Any:
    """The chart as a Vega-Lite specification (a dict); pure."""
    alt: Any = import_module("altair")
    said = w.strings(language)["chart"]
    share = incident.rule == "negative_surge"
    data = [_row(row, zone) for row in series]
    marks = _marks(incident, series, data, zone)
    x = alt.X("time:T", axis=_time_axis(alt, data, language), scale=alt.Scale(type="utc"), title=None)
    y = alt.Y(
        "value:Q",
        axis=alt.Axis(title=None, format="%" if share else "~s", tickCount=5),
        scale=alt.Scale(zero=True, nice=True),
    )
    base = alt.Chart(alt.Data(values=data)).encode(x=x)
    kinds = [said["observed"], said["expected"], said["band"], said["alert"]]
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=[LINE, GREY, BAND, ALERT]),
        legend=alt.Legend(title=None, orient="top", direction="horizontal", symbolType="square", symbolStrokeWidth=0),
    )
    band = (
        base.transform_calculate(kind=repr(said["band"])).mark_area(opacity=0.55).encode(y=y, y2="high:Q", color=colour)
    )
    band = band.encode(y=alt.Y("low:Q", axis=y.axis, scale=y.scale))
    expected = (
        base.transform_calculate(kind=repr(said["expected"]))
        .mark_line(strokeDash=[4, 3], strokeWidth=1.5)
        .encode(y="expected:Q", color=colour)
    )
    observed = (
        base.transform_calculate(kind=repr(said["observed"]))
        .mark_line(strokeWidth=2.4)
        .encode(y="observed:Q", color=colour)
    )
    layers = [*([band, expected] if any(row[2] is not None for row in series) else []), observed]
    layers += _alert_layers(alt, marks, said, colour, x)
    layers += _forecast_layers(alt, incident, data, said, zone)
    chart = alt.layer(*layers).properties(
        width=WIDTH - 70,
        height=HEIGHT,
        background="white",
        padding=12,
        title=alt.TitleParams(
            title, subtitle=_subtitle(incident, said, language, zone), anchor="start", frame="group", offset=8
        ),
    )
    return _styled(alt, chart).to_dict()


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


def _marks(
    incident: Incident, series: Sequence[list[Any]], data: list[dict[str, Any]], zone: ZoneInfo
) -> list[dict[str, Any]]:
    """The last row at or before the alert."""
    before = [n for n, row in enumerate(series) if from_iso(row[0]) <= incident.opened_at and row[1] is not None]
    if not before:
        return []
    return [{"time": data[before[-1]]["time"], "observed": data[before[-1]]["observed"]}]


def _alert_layers(alt: Any, marks: list[dict[str, Any]], said: dict[str, str], colour: Any, x: Any) -> list[Any]:
    if not marks:
        return []
    base = alt.Chart(alt.Data(values=marks)).transform_calculate(kind=repr(said["alert"])).encode(x=x)
    rule = base.mark_rule(strokeDash=[2, 2], strokeWidth=1.3).encode(color=colour)
    point = base.mark_point(shape="diamond", filled=True, size=110, opacity=1, stroke="white", strokeWidth=1)
    return [rule, point.encode(y="observed:Q", color=colour)]


def _forecast_layers(
    alt: Any, incident: Incident, data: list[dict[str, Any]], said: dict[str, str], zone: ZoneInfo
) -> list[Any]:
    """The forecast of a cascade as an error bar at the right edge."""
    facts = incident.facts
    values = [facts.get(key) for key in ("forecast", "forecast_low", "forecast_high")]
    if incident.rule != "viral_cascade" or any(not isinstance(v, int | float) for v in values):
        return []
    first, last = (datetime.fromisoformat(data[n]["time"]) for n in (0, -1))
    at = last + max((last - first) * 0.12, timedelta(minutes=10))
    point = {"time": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "value": values[0], "low": values[1], "high": values[2]}
    base = alt.Chart(alt.Data(values=[point])).encode(x="time:T")
    bar = base.mark_rule(strokeWidth=5, color=BAND, strokeCap="round").encode(y="low:Q", y2="high:Q")
    dot = base.mark_point(filled=True, size=70, color=LINE, opacity=1).encode(y="value:Q")
    label = base.mark_text(align="right", dx=-8, color=GREY, fontSize=11, text=said["forecast"]).encode(y="value:Q")
    return [bar, dot, label]


def _time_axis(alt: Any, data: list[dict[str, Any]], language: Language) -> Any:
    """Hours; the date where a day begins."""
    day = "%-m/%-d" if language == "ja" else "%-d %b"
    expression = (
        f"utchours(datum.value) == 0 && utcminutes(datum.value) == 0 "
        f"? utcFormat(datum.value, '{day}') : utcFormat(datum.value, '%H:%M')"
    )
    return alt.Axis(labelExpr=expression, tickCount=8, grid=False, labelOverlap="greedy")


def _subtitle(incident: Incident, said: dict[str, str], language: Language, zone: ZoneInfo) -> str:
    length = step(incident.facts)
    text = said.get(incident.rule, "").format(step=w.duration(language, length) if length else "")
    return f"{text} · {said['axis'].format(zone=zone.key)}"


def _styled(alt: Any, chart: Any) -> Any:
    return (
        chart.configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=GREY, labelFontSize=11, gridColor="#e6e8eb", domainColor="#c4c9cf", tickColor="#c4c9cf"
        )
        .configure_legend(labelColor=INK, labelFontSize=11, symbolSize=90, padding=0, offset=6)
        .configure_title(color=INK, fontSize=14, fontWeight="normal", subtitleColor=GREY, subtitleFontSize=11)
    )


@cache
def _register_font() -> None:
    import noto_cjk_sans_jp_regular as noto
    import vl_convert

    vl_convert.register_font_directory(str(noto.FONT_PATH.parent))


def render(specification: Any) -> bytes:
    """A PNG at twice the nominal size."""
    import vl_convert

    _register_font()
    return bytes(vl_convert.vegalite_to_png(specification, scale=SCALE))
