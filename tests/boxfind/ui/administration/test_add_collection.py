"""What a new collection would read is counted before it is added."""

from pathlib import Path

import pytest
import streamlit as st

from boxfind.engines import Engines
from boxfind.settings import Settings
from boxfind.ui.administration import add_collection
from boxfind.ui.administration.add_collection import count_files
from tests.tiny import eight_pictures


def test_a_folder_called_index_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines(Settings.load(data=tmp_path / "data"))
    monkeypatch.setattr(add_collection, "shared_engines", lambda: engines)
    st.cache_data.clear()
    eight_pictures(tmp_path / "photos" / "index")
    eight_pictures(tmp_path / "photos" / "trip")
    assert count_files([tmp_path / "photos"], []) == 16
    assert count_files([tmp_path / "photos"], ["trip/"]) == 8
