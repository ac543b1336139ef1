"""Closed pages leave nothing in memory."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from streamlit.runtime import Runtime
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.websocket_session_manager import WebsocketSessionManager

from boxfind.ui import gallery_view, memory_release
from boxfind.ui.memory_release import release_memory
from boxfind.ui.picture_cache import BoundedCache, PictureCache


def test_r59_a_failed_round_does_not_end_the_release_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    release = MagicMock(side_effect=[RuntimeError, *24 * [False], SystemExit])
    monkeypatch.setattr(memory_release, "release_memory", release)
    monkeypatch.setattr(memory_release.time, "sleep", lambda seconds: None)
    with pytest.raises(SystemExit):
        memory_release._run()
    assert sum(call.kwargs["collect"] for call in release.call_args_list) == 2


def test_r59_garbage_is_collected_when_nothing_was_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    collect = MagicMock()
    for caches in ("decoded_pictures", "closer_views", "kept_pictures"):  # those of other tests may expire
        monkeypatch.setattr(memory_release, caches, PictureCache)
    monkeypatch.setattr(memory_release.gc, "collect", collect)
    assert not release_memory() and not collect.called
    assert not release_memory(collect=True) and collect.called


def test_jpegs_of_closer_views_are_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    views = BoundedCache(250_000, gallery_view.SECONDS, len, lambda: clock[0])
    monkeypatch.setattr(memory_release, "decoded_pictures", PictureCache)
    for module in (gallery_view, memory_release):
        monkeypatch.setattr(module, "closer_views", lambda: views)
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    made = [gallery_view._jpeg(name, 400, 400, pixels) for name in "abcde"]
    assert gallery_view._jpeg("e", 400, 400, pixels) is made[-1]
    assert 0 < views.bytes <= 250_000 < len(made) * len(made[0])
    clock[0] = gallery_view.SECONDS + 1
    assert release_memory() and views.bytes == 0


def test_a_finished_download_is_forgotten_after_two_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    media = MediaFileManager(MemoryMediaFileStorage("/media"))
    monkeypatch.setattr(memory_release, "_forget_closed_sessions", lambda: 0)
    monkeypatch.setattr(Runtime, "_instance", SimpleNamespace(media_file_mgr=media))
    button = media.add_deferred(lambda: b"an original", "image/png", "1.0")
    media.execute_deferred(button)
    release_memory()
    for kept in (1, 0):
        release_memory(collect=True)
        assert len(media._file_metadata) == kept
    assert media.execute_deferred(button)  # the button still works


@pytest.mark.parametrize("seconds", [0, 40])
def test_r59_a_session_is_forgotten_some_time_after_its_page_was_closed(
    seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, session = MemorySessionStorage(ttl_seconds=seconds), MagicMock(AppSession, id="closed")
    manager = WebsocketSessionManager(storage, MagicMock(), MagicMock(), None)
    monkeypatch.setattr(Runtime, "_instance", SimpleNamespace(_session_mgr=manager))
    monkeypatch.setattr(memory_release, "decoded_pictures", PictureCache)
    storage.save(SessionInfo(client=None, session=session, script_run_count=0))
    assert release_memory() == (seconds == 0)
    assert session.shutdown.called == session.session_state.clear.called == (seconds == 0)
