"""An invalid setting ends a command with one message."""

import pytest


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [("GALERY", "/pictures", "the closest name is BOXFIND_GALLERY."), ("SIDE", "9", "BOXFIND_SIDE cannot be '9'")],
)
def test_a_setting_that_cannot_be_used(boxfind, monkeypatch, tmp_path, name, value, sentence):
    monkeypatch.setenv(f"BOXFIND_{name}", value)
    ended = boxfind("build", "--gallery", tmp_path)
    ended.assert_failed(sentence)
    assert not list(tmp_path.iterdir())
