"""Takes the pictures of a Slack message and an email in docs/img from the demo: `python docs/pictures.py`.

Needs Chromium (`apt install chromium`), and takes about three minutes: the demo runs once in each language.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.preview import page

IMAGES = Path(__file__).parent / "img"
WIDTH, SCALE = 720, 1.2
PATIENCE = 60  # seconds for one picture
SHOWN = {"ja": "への否定的な投稿", "en": "Negative posts about"}
"""What the subject of the alert says that is shown, by language."""
MEASURE = """<script>
addEventListener("load", () => { document.documentElement.dataset.height = document.documentElement.offsetHeight })
</script>"""


def main() -> None:
    """Both languages; leaves the pictures as they are where there is no browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("There is no Chromium: the pictures stay as they are. On Debian: apt install chromium")
    for language, words in SHOWN.items():
        with tempfile.TemporaryDirectory() as folder:
            received = play(language, Path(folder))
            email = first(received / "mail", "*.txt", words).with_suffix(".html")
            take(browser, email, IMAGES / f"email-{language}.png")
            take(browser, slack_page(first(received / "slack", "*.json", words)), IMAGES / f"slack-{language}.png")


def play(language: str, folder: Path) -> Path:
    """Runs the demo; returns the folder of what Slack and the mailbox received."""
    resonance = Path(sys.executable).parent / "resonance"
    subprocess.run([resonance, "demo", "--language", language, "--output", folder / "demo"], check=True)
    return folder / "demo" / "received"


def first(folder: Path, names: str, words: str) -> Path:
    """The first of the files that holds these words."""
    return next(path for path in sorted(folder.glob(names)) if words in path.read_text(encoding="utf-8"))


def slack_page(message: Path) -> Path:
    """What the demo's Slack received, as a page beside it."""
    sent = json.loads(message.read_text(encoding="utf-8"))
    at = datetime.fromtimestamp(float(sent["ts"]), ZoneInfo("Asia/Tokyo"))
    path = message.with_suffix(".html")
    path.write_text(page([sent["payload"]], at=f"{at:%H:%M}"), encoding="utf-8")
    return path


def take(browser: str, path: Path, target: Path) -> None:
    """A picture of the whole page, drawn with the Japanese font of the charts on every machine."""
    spec = find_spec("noto_cjk_sans_jp_regular")
    assert spec is not None and spec.origin is not None
    fonts = path.with_name("fonts.conf")
    folders = f"<dir>{Path(spec.origin).parent}</dir><include ignore_missing='yes'>/etc/fonts/fonts.conf</include>"
    fonts.write_text(f"<fontconfig>{folders}</fontconfig>", encoding="utf-8")
    measured = path.with_name(f"measured-{path.name}")
    measured.write_text(path.read_text(encoding="utf-8") + MEASURE, encoding="utf-8")

    def run(*options: object) -> str:
        fixed = ["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", f"--user-data-dir={path.parent}/b"]
        command = [browser, *fixed, *map(str, options)]
        known = os.environ | {"FONTCONFIG_FILE": str(fonts)}
        return subprocess.run(command, env=known, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout

    drawn = run(f"--window-size={WIDTH},400", "--virtual-time-budget=5000", "--dump-dom", measured.as_uri())
    tall = re.search(r'data-height="(\d+)"', drawn)
    assert tall is not None, f"{browser} did not measure {path}"
    size = f"--window-size={WIDTH},{tall[1]}"
    run(size, f"--force-device-scale-factor={SCALE}", f"--screenshot={target}", path.as_uri())
    print(f"{target}  {WIDTH} x {tall[1]}, {target.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
