"""Words are compared without case and accents; scripts without spaces are split into characters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.text.words import is_character, one_letter_apart, words_in


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("7-ELEVEN", ["7", "eleven"]),
        ("Café  Crème", ["cafe", "creme"]),
        ("Łódź, Größe, Øl, Æble", ["lodz", "grosse", "ol", "aeble"]),
        ("Привет ЁЖ", ["привет", "еж"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("白加黑 A片", ["白", "加", "黑", "a", "片"]),
        ("ガム", ["ガ", "ム"]),
        ("강남구", ["강", "남", "구"]),
        ("नमस्ते", ["नमस्ते"]),
        ("… !?", []),
    ],
)
def test_words_of_a_text(text, words):
    assert words_in(text) == words


def test_accents_that_belong_to_a_letter_stay():
    assert words_in("が") != words_in("か")


@settings(max_examples=50)
@given(st.text())
def test_words_are_found_again_in_their_text(text):
    words = words_in(text)
    assert words_in(" ".join(words)) == words
    assert all(words) and not any('"' in word or " " in word for word in words)
    assert not any(is_character(letter) for word in words if len(word) > 1 for letter in word)


@given(st.text("abc", max_size=6), st.integers(0, 6), st.sampled_from(["", "a", "x"]))
def test_one_letter_apart(word, place, letter):
    for other in (word[:place] + letter + word[place:], word[:place] + letter + word[place + 1 :]):
        assert one_letter_apart(word, other) == (word != other) == one_letter_apart(other, word)


def test_more_letters_apart():
    assert not one_letter_apart("coke", "cake pop")
    assert not one_letter_apart("form", "from")
    assert not one_letter_apart("abc", "cab")
