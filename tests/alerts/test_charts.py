"""Charts: readable Japanese, local time, unknown drawn as unknown."""

import struct
import subprocess
import sys
import zlib
from datetime import timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from alerts import charts
from alerts.read import Incident
from alerts.send import chart_of
from config import Settings
from store.records import iso
from tests.alerts.alert_cases import NOW, series

TOKYO = ZoneInfo("Asia/Tokyo")


def case(rule="volume_spike", rows=None, **facts):
    told = {"series": [list(row) for row in (rows if rows is not None else series())], **facts}
    return Incident(1, "coffee", rule, "coffee", "open", False, "warning", NOW, NOW, NOW, NOW, None, None, None, told)


def text_only(text):
    """A specification that draws nothing but this text, in our font."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": [{}]},
        "mark": {"type": "text", "text": text, "fontSize": 40},
        "config": {"font": charts.FONT, "view": {"stroke": None}},
        "width": 80, "height": 60, "background": "white",
    }  # fmt: skip


def pixels(png):
    """The bytes of an 8-bit PNG, filters undone: one row of samples after another."""
    at, data, size, channels = 8, b"", (0, 0), 4
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            size, channels = struct.unpack(">II", body[:8]), {2: 3, 6: 4, 0: 1}[body[9]]
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    raw, stride, rows = zlib.decompress(data), size[0] * channels, []
    previous = bytes(stride)
    for n in range(size[1]):
        start = n * (stride + 1)
        previous = _unfilter(raw[start], raw[start + 1 : start + 1 + stride], previous, channels)
        rows.append(previous)
    return rows


def _unfilter(kind, line, up, bpp):
    out = bytearray(line)
    for i in range(len(out)):
        left = out[i - bpp] if i >= bpp else 0
        corner = up[i - bpp] if i >= bpp else 0
        guess = left + up[i] - corner
        paeth = min((left, up[i], corner), key=lambda v: abs(guess - v))
        out[i] = (out[i] + (0, left, up[i], (left + up[i]) // 2, paeth)[kind]) & 255
    return bytes(out)


def dark(png):
    return sum(sample < 128 for row in pixels(png) for sample in row[::4])


def test_japanese_glyphs_are_drawn_and_not_the_missing_glyph():
    flame, up, missing = (charts.render(text_only(text)) for text in ("炎", "上", "\U000e0fff"))
    assert flame != up
    assert dark(flame) > 400 and dark(up) > 150
    assert dark(flame) != dark(missing)
    twice = {charts.render(text_only(text)) for text in ("\U000e0fff", "\U000e0ffe")}
    assert len(twice) == 1, "two missing glyphs look alike; 炎 and 上 do not"


def test_a_png_of_the_nominal_width_whatever_the_title():
    png = charts.chart(case(), "ja", TOKYO, "'\"\\ </text><script> \u202e {datum.x} 「鳴海珈琲」")
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert abs(width - charts.SCALE * charts.WIDTH) < 120 and height < width


def values_of(spec, name):
    return [row[name] for data in spec["datasets"].values() for row in data if name in row] if "datasets" in spec else [
        row[name] for layer in spec["layer"] for row in layer.get("data", {}).get("values", []) if name in row
    ]  # fmt: skip


def test_times_are_the_topics_wall_clock():
    spec = charts.spec(case(), series(), "ja", TOKYO, "題")
    assert "2026-11-22T18:30:00Z" in values_of(spec, "time")
    assert "2026-11-22T09:30:00Z" not in values_of(spec, "time")[-3:]
    assert "Asia/Tokyo" in spec["title"]["subtitle"]


def test_the_specification_is_valid_vega_lite():
    import altair

    altair.Chart.from_dict(charts.spec(case(), series(), "en", TOKYO, "title"), validate=True)


def test_the_alert_is_marked_where_it_was_raised():
    late = [(iso(NOW + timedelta(minutes=15 * n)), 40.0, 6.0, 2.0, 9.0) for n in range(1, 5)]
    spec = charts.spec(case(), [*series(), *late], "ja", TOKYO, "題")
    marks = [layer for layer in spec["layer"] if len(layer.get("data", {}).get("values", [])) == 1]
    assert marks and all(layer["data"]["values"][0]["time"] == "2026-11-22T18:30:00Z" for layer in marks)


def test_unknown_stays_unknown():
    rows = [(iso(NOW + timedelta(minutes=n)), None if n == 2 else 5.0, None, None, None) for n in range(6)]
    spec = charts.spec(case(), rows, "ja", TOKYO, "題")
    assert None in values_of(spec, "observed") and 0 not in values_of(spec, "observed")
    assert "ふだんの範囲" not in str(spec)


def test_what_is_known_between_unknown_rows_is_seen():
    """A line or an area of one row draws nothing: the hour of the alert, after a quiet night, would not be there."""
    shares = [0.2, 0.1, None, 0.3, None, None, 0.8]
    rows = [
        (iso(NOW + timedelta(hours=3 * n)), v, 0.2, *((0.1, 0.4) if v is not None else (None, None)))
        for n, v in enumerate(shares, -len(shares))
    ]
    spec = charts.spec(case("negative_surge", rows), rows, "ja", TOKYO, "題")
    dots = [layer for layer in spec["layer"] if layer["mark"]["type"] == "point" and "shape" not in layer["mark"]]
    bars = [layer for layer in spec["layer"] if "y2" in layer["encoding"] and layer["mark"]["type"] == "rule"]
    assert [[row["observed"] for row in layer["data"]["values"]] for layer in dots + bars] == [[0.3, 0.8]] * 2
    assert spec["title"]["subtitle"].startswith("否定的な投稿の割合（3時間ごと）")
    assert "point" not in str(charts.spec(case(), series(), "ja", TOKYO, "題")["layer"][:3])


def test_a_cascade_shows_its_forecast():
    facts = {"forecast": 900, "forecast_low": 400, "forecast_high": 2100}
    spec = charts.spec(case("viral_cascade", **facts), series(), "ja", TOKYO, "題")
    assert "7日後の見込み" in str(spec)
    assert {"value": 900, "low": 400, "high": 2100}.items() <= spec["layer"][-1]["data"]["values"][0].items()
    assert "7日後の見込み" not in str(charts.spec(case("volume_spike", **facts), series(), "ja", TOKYO, "題"))


def test_too_little_to_draw_is_no_chart():
    assert charts.chart(case(rows=[]), "ja", TOKYO, "題") is None
    assert charts.chart(case(rows=series()[:2]), "ja", TOKYO, "題") is None


@pytest.mark.parametrize(("most", "amount"), [(2.5, ","), (5.0, ",d"), (48.0, ",d"), (1200.0, ",d")])
def test_the_axis_counts_in_whole_numbers_and_never_in_powers(most, amount):
    rows = [(iso(NOW + timedelta(minutes=n)), most * n / 5, None, None, None) for n in range(6)]
    spec = charts.spec(case(), rows, "ja", TOKYO, "題")
    axes = {(layer["encoding"].get("y") or {}).get("axis", {}).get("format") for layer in spec["layer"]} - {None}
    assert axes == {amount}, "vega writes 50 of few ticks as 5e+1 with a comma alone"


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(charts.ChartError, match=r"ended with code 1\. Vega-Lite to PNG"):
        charts.render({"mark": 3})


@pytest.mark.parametrize(
    "code", ["import time; time.sleep(60)", "import os; os.kill(os.getpid(), 9)", "print('no PNG')"]
)
def test_a_drawing_that_hangs_or_dies_is_no_chart_and_the_message_goes_out(tmp_path, monkeypatch, code):
    """The process is a real one: another module of the same name, found first."""
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "__init__.py").touch()
    (tmp_path / "alerts" / "drawing.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(charts, "SECONDS", 2)
    with pytest.raises(charts.ChartError):
        charts.chart(case(), "en", TOKYO, "title")
    message = SimpleNamespace(language="en", heading="title")
    assert chart_of(Settings(), case(), message) is None


def test_the_renderer_never_enters_the_process_that_wants_a_picture():
    """It would keep its memory for as long as the daemon lives."""
    code = """
import sys
from tests.alerts.test_charts import TOKYO, case, charts
assert charts.chart(case(), "ja", TOKYO, "title")
print(sorted({"vl_convert", "altair"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
