"""Draws one picture and ends: `python -m alerts.drawing SCALE`.

Vega-Lite comes as JSON on standard input, a PNG goes to standard output. Nothing of ours is imported: the rest of the
product would take longer to start than the picture takes to draw.
"""

from __future__ import annotations

import json
import signal
import sys

import noto_cjk_sans_jp_regular as noto
import vl_convert


def main(scale: float) -> int:
    """Returns the exit code; what is wrong is said in one line on standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too; the one who waits for the picture decides
    vl_convert.register_font_directory(str(noto.FONT_PATH.parent))
    try:
        png = vl_convert.vegalite_to_png(json.load(sys.stdin.buffer), scale=scale)
    except ValueError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    sys.stdout.buffer.write(png)
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
