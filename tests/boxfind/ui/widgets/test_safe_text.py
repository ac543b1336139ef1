import pytest

from boxfind.ui.widgets.safe_text import WORD_JOINER, plain


def test_r17_markdown_in_a_file_name_is_escaped() -> None:
    assert plain("[x](y) :red[z] $a$ *b* &lt;") == r"\[x\]\(y\) \:red\[z\] \$a\$ \*b\* \&lt;"


def test_r17_line_breaks_are_replaced() -> None:
    assert plain("a\n\n    b\u202ec") == "a\ufffd\ufffd    b\ufffdc"


@pytest.mark.parametrize("name", ["www.example.org", "WWW.example.org", "http://example.org", "HTTPS://x", "a@b.org"])
def test_r17_an_address_in_a_name_does_not_become_a_link(name: str) -> None:
    shown = plain(name)
    assert shown.count(WORD_JOINER) == 1
    assert shown.replace("\\", "").replace(WORD_JOINER, "") == name
    assert not any(start in shown.lower() for start in ("www.", "www\\.", "http:", "http\\:", "https\\:", "@b"))


def test_plain_words_are_unchanged() -> None:
    assert plain("Übersicht Größe 12") == "Übersicht Größe 12"
