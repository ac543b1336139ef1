from typing import Any

import pytest

from boxfind.ui.widgets.picture_view import sent_in


@pytest.mark.parametrize("sent", [None, "step", [], {}, {"step": None}, {"step": "1"}, {"step": True}, {"step": 1.0}])
def test_invalid_browser_data_is_no_number(sent: Any) -> None:
    assert sent_in(sent, "step") is None


def test_a_whole_number_is_read() -> None:
    assert sent_in({"step": -1}, "step") == -1
