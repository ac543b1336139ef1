"""Free the memory of visitors who have left, and give it back to the system."""

import gc
import itertools
import threading
import time
from functools import cache
from typing import Any

from streamlit.runtime import Runtime

from boxfind.logs import log
from boxfind.ui.gallery_view import closer_views
from boxfind.ui.search.kept_pictures import kept_pictures
from boxfind.ui.session import decoded_pictures
from retrieval.memory_trim import trim_memory

SECONDS = 5.0
COLLECT_SECONDS = 60.0
"""A full garbage collection takes place at least this often: Streamlit itself forgets sessions, too."""


@cache
def release_memory_regularly() -> None:
    """Start the thread that frees memory, once in this process."""
    threading.Thread(target=_run, name="memory release", daemon=True).start()


def release_memory(collect: bool = False) -> bool:
    """Forget unused pictures and closed sessions, and trim the heap. Returns whether there were any to forget.

    Then, or if `collect` is set, the garbage collector runs. With `collect`, finished downloads are forgotten too.
    """
    if collect and Runtime.exists():
        Runtime.instance().media_file_mgr.remove_orphaned_files()  # a download stays until the second time
    caches = decoded_pictures(), closer_views(), kept_pictures()
    forgotten = sum(pictures.expire() for pictures in caches) + _forget_closed_sessions()
    if forgotten or collect:
        gc.collect()  # the objects of a session refer to each other
    trim_memory()
    return forgotten > 0


def _run() -> None:
    for number in itertools.count(1):
        time.sleep(SECONDS)
        try:
            release_memory(collect=number % (COLLECT_SECONDS // SECONDS) == 0)
        except Exception:  # the next round may succeed
            log.exception("memory cannot be released")


def _forget_closed_sessions() -> int:
    """Forget sessions after `server.disconnectedSessionTTL`. Streamlit does so only when other visitors come or go.

    Its main loop holds on to the last session, so its uploads and its state are removed from it.
    """
    if not Runtime.exists():
        return 0
    sessions: Any = Runtime.instance()._session_mgr
    with sessions._storage_lock:
        expired = [stored.session for _, stored in sessions._session_storage._cache.expire()]
    for session in expired:
        session.shutdown()
        session.session_state.clear()
    return len(expired)
