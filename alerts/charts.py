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
INK, GREY = "#1f2328", "#57606a"
COLOURS = {"observed": "#0b5394", "expected": GREY, "band": "#a9c7e8", "forecast": "#009e73", "alert": "#d55e00"}
"""Blue, green and vermilion of Okabe and Ito: told apart with every common colour blindness, and by shape too."""
MAX_ROWS = 400
WHOLE = 5
"""From this height on, five ticks stand at whole numbers."""


def chart(incident: Incident, language: Language, zone: ZoneInfo, title: str) -> bytes | None:
    """A PNG of the observed line against the usual band, the alert marked; None when there is too little to draw."""
    series = rows(incident.facts)[-MAX_ROWS:]
    if sum(row[1] is not None for row in series) < 3:
        return None
    return render(spec(incident, series, language, zone, title))


def spec(
    incident: Incident, series: Sequence[list[Any]], language: Language, zone: ZoneInfo, title: str
) -> dict[str, Any]:
    """The chart as a Vega-Lite specification (a dict); pure."""
    alt: Any = import_module("altair")
    said = w.strings(language)["chart"]
    share = incident.rule == "negative_surge"
    data = [_row(row, zone) for row in series]
    marks = _marks(incident, series, data)
    x = alt.X("time:T", axis=_time_axis(alt, language), scale=alt.Scale(type="utc"), title=None)
    has_band = any(row[2] is not None for row in series)
    forecast = _forecast(incident, data)
    axis, scale = _amounts(alt, incident, series, forecast, share)
    drawn = ["observed", *(["expected", "band"] if has_band else []), *(["forecast"] if forecast else [])]
    drawn += ["alert"] if marks else []
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=[said[kind] for kind in drawn], range=[COLOURS[kind] for kind in drawn]),
        legend=alt.Legend(title=None, orient="top", symbolType="square", symbolStrokeWidth=0, symbolOpacity=1),
    )

    def layer(kind: str) -> Any:
        return alt.Chart(alt.Data(values=data)).transform_calculate(kind=repr(said[kind])).encode(x=x, color=colour)

    def y(field: str) -> Any:
        return alt.Y(f"{field}:Q", axis=axis, scale=scale)

    band = layer("band").mark_area(opacity=0.55).encode(y=y("low"), y2="high:Q")
    expected = layer("expected").mark_line(strokeDash=[4, 3], strokeWidth=1.5).encode(y=y("expected"))
    observed = layer("observed").mark_line(strokeWidth=2.4).encode(y=y("observed"))
    layers = [*([band, expected] if has_band else []), observed]
    layers += _alert_layers(alt, marks, said, colour, x)
    layers += _forecast_layers(alt, forecast, said, colour)
    chart = alt.layer(*layers).properties(
        width=WIDTH - 70,
        height=HEIGHT,
        background="white",
        padding=12,
        title=alt.TitleParams(
            title, subtitle=_subtitle(incident, said, language, zone), anchor="start", frame="group", offset=8
        ),
    )
    specification: dict[str, Any] = _styled(alt, chart).to_dict(validate=False)
    return specification


def _amounts(
    alt: Any, incident: Incident, series: Sequence[list[Any]], forecast: list[dict[str, Any]], share: bool
) -> tuple[Any, Any]:
    """Axis and scale; a cascade's are logarithmic, for its forecast may reach far beyond what is seen."""
    if incident.rule != "viral_cascade":
        most = max((value for row in series for value in row[1:] if value is not None), default=0.0)
        amount = ",d" if most >= WHOLE else ","  # "," alone makes 50 of few ticks `5e+1`
        return alt.Axis(title=None, format=".0%" if share else amount, tickCount=5), alt.Scale(zero=True, nice=True)
    highest = max([row[1] or 0 for row in series] + [one["high"] for one in forecast])
    ticks = [0, *(t * 10**power for power in range(7) for t in (1, 3))]
    shown = [t for t in ticks if t <= 1.2 * highest] + [next((t for t in ticks if t > 1.2 * highest), highest)]
    axis = alt.Axis(title=None, format=",d", values=shown)
    return axis, alt.Scale(type="symlog", constant=3, domain=[0, shown[-1]], nice=False)


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


def _alert_layers(alt: Any, marks: list[dict[str, Any]], said: dict[str, str], colour: Any, x: Any) -> list[Any]:
    if not marks:
        return []
    base = alt.Chart(alt.Data(values=marks)).transform_calculate(kind=repr(said["alert"])).encode(x=x)
    rule = base.mark_rule(strokeDash=[2, 2], strokeWidth=1.3).encode(color=colour)
    point = base.mark_point(shape="diamond", filled=True, size=110, opacity=1, stroke="white", strokeWidth=1)
    return [rule, point.encode(y="observed:Q", color=colour)]


def _forecast(incident: Incident, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A cascade's forecast as a point right of the line; empty when there is none."""
    values = [incident.facts.get(key) for key in ("forecast", "forecast_low", "forecast_high")]
    if incident.rule != "viral_cascade" or any(not isinstance(v, int | float) for v in values):
        return []
    first, last = (datetime.fromisoformat(data[n]["time"]) for n in (0, -1))
    at = last + max((last - first) * 0.12, timedelta(minutes=10))
    return [{"time": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "value": values[0], "low": values[1], "high": values[2]}]


def _forecast_layers(alt: Any, forecast: list[dict[str, Any]], said: dict[str, str], colour: Any) -> list[Any]:
    if not forecast:
        return []
    base = alt.Chart(alt.Data(values=forecast)).transform_calculate(kind=repr(said["forecast"]))
    base = base.encode(x="time:T", color=colour)
    bar = base.mark_rule(strokeWidth=6, strokeCap="round", opacity=0.55).encode(y="low:Q", y2="high:Q")
    return [bar, base.mark_point(filled=True, size=80, opacity=1).encode(y="value:Q")]


def _time_axis(alt: Any, language: Language) -> Any:
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
