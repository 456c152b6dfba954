"""Memory that goes back to the system between jobs, so that a daemon of a week is not larger than one of a day.

What a thread has freed is otherwise kept for it: by the C library in the thread's arena, by SQLite in its page cache.
On other systems than Linux with glibc only the page cache is given back.
"""

from __future__ import annotations

import ctypes
import gc
import sys

from store import Store

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # of mallopt, from malloc.h
OPTIONS = {ARENA_MAX: 2, MMAP_THRESHOLD: 256 << 10, TRIM_THRESHOLD: 1 << 20}
"""Two arenas for all threads; large blocks stand alone, however large the last one was that was freed."""


def settle() -> None:
    """Once, when everything is imported: what is there now stays, and is not looked through again."""
    for option, value in OPTIONS.items():
        _libc("mallopt", option, value)
    gc.collect()
    gc.freeze()


def give_back(store: Store) -> None:
    """What a job left behind in its thread; call it in that thread."""
    store.shrink()
    gc.collect()
    _libc("malloc_trim", 0)


def _libc(name: str, *arguments: int) -> None:
    """Call the C library, where it has such a function."""
    if sys.platform != "linux":
        return
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
