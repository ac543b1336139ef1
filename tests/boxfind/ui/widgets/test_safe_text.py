import pytest

from boxfind.ui.widgets.safe_text import WORD_JOINER, plain


def test_r17_markdown_of_a_file_name_is_shown_not_obeyed() -> None:
    assert plain("[x](y) :red[z] $a$ *b* &lt;") == r"\[x\]\(y\) \:red\[z\] \$a\$ \*b\* \&lt;"


def test_r17_a_name_stays_on_its_line() -> None:
    assert plain("a\n\n    b\u202ec") == "a\ufffd\ufffd    b\ufffdc"


@pytest.mark.parametrize("name", ["www.example.org", "WWW.example.org", "http://example.org", "HTTPS://x", "a@b.org"])
def test_r17_an_address_in_a_name_is_no_link_and_looks_the_same(name: str) -> None:
    shown = plain(name)
    assert shown.count(WORD_JOINER) == 1
    assert shown.replace("\\", "").replace(WORD_JOINER, "") == name
    assert not any(start in shown.lower() for start in ("www.", "www\\.", "http:", "http\\:", "https\\:", "@b"))


def test_plain_words_are_unchanged() -> None:
    assert plain("Übersicht Größe 12") == "Übersicht Größe 12"
