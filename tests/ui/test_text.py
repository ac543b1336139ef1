from ui.text import plain


def test_markdown_of_a_file_name_is_shown_not_obeyed() -> None:
    assert plain("[x](http://y) :red[z] $a$ *b*") == r"\[x\]\(http\://y\) \:red\[z\] \$a\$ \*b\*"


def test_plain_words_stay_as_they_are() -> None:
    assert plain("Übersicht Größe 12") == "Übersicht Größe 12"
