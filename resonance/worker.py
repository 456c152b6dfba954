"""What runs in a child process of the daemon: `python -m resonance.worker score|analyse NOW [CONFIG]`, NOW as ISO."""

from __future__ import annotations

import sys
from pathlib import Path

from resonance import cycle
from resonance.app import log_to_stderr, open_store, settings_from
from resonance.errors import explain
from store.records import from_iso

STAGES = {"score": cycle.score_job, "analyse": cycle.analyse_job}


def main(arguments: list[str]) -> int:
    """Run one stage; its health stands in the table `jobs`."""
    log_to_stderr()
    try:
        settings = settings_from(Path(arguments[2]) if len(arguments) > 2 else None, optional=True)
        STAGES[arguments[0]](open_store(settings), settings, from_iso(arguments[1]))
    except Exception as error:
        told = explain(error)
        if told is None:
            raise
        print(f"resonance: {told.text}", file=sys.stderr)
        return told.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
