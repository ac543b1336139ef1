"""A writable gallery and index, and pages of administrators."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from boxfind.ui.authorization import Visitor

STRANGER = Visitor(server="127.0.0.1", address="192.0.2.7")


@pytest.fixture
def own_index(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A writable copy of the index of the twelve pictures, which is served."""
    monkeypatch.setenv("BOXFIND_INDEX", str(tmp_path / "index"))
    return Path(shutil.copytree(index, tmp_path / "index", symlinks=True))


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make the visitor a stranger, although the page still shows what it showed the administrator."""

    def now() -> None:
        for name in ("authorization.is_admin", "navigation.is_admin", "navigation.is_local_admin"):
            monkeypatch.setattr(f"boxfind.ui.{name}", lambda: True)
        monkeypatch.setattr("boxfind.ui.authorization.visitor", lambda: STRANGER)

    return now


@pytest.fixture
def tab(app: AppTest, own_index: Path, here: None) -> Callable[[str], AppTest]:
    """Open a tab of the Index page as an administrator at this machine."""

    def opened(name: str) -> AppTest:
        app.run()
        app.switch_page("pages/index.py")
        app.session_state["index tab"] = name
        return app.run()

    return opened
