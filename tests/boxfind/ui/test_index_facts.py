"""Facts of the served index in words."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from boxfind.ui import index_facts


@pytest.mark.parametrize(("admin", "told"), [(True, "/a/sea, /b/attic"), (False, "sea, attic")])
def test_all_folders_of_a_collection_are_named(admin: bool, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SimpleNamespace(is_sample=False, gallery_dir=Path("/a/sea"), more_folders=(Path("/b/attic"),))
    monkeypatch.setattr(index_facts, "shared_engine", lambda: SimpleNamespace(settings=settings))
    monkeypatch.setattr(index_facts, "is_admin", lambda: admin)
    assert index_facts.folder_names() == told
