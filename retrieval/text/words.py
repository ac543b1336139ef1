"""Split text into words that can be compared, whatever the script, case and accents."""

import unicodedata

LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"})
"""Latin letters whose accents Unicode does not separate."""
ACCENTS = ("\u0300", "\u036f")
"""The range of accents on Latin, Greek and Cyrillic letters. Marks of other scripts are parts of their letters."""
WITHOUT_SPACES = (
    ("\u0e00", "\u0eff"),  # Thai, Lao
    ("\u1000", "\u109f"),  # Burmese
    ("\u1780", "\u17ff"),  # Khmer
    ("\u3005", "\u3007"),
    ("\u3040", "\u30ff"),  # Japanese syllables
    ("\u3400", "\u9fff"),  # Chinese characters
    ("\uac00", "\ud7a3"),  # Korean: particles are joined to words
    ("\uf900", "\ufaff"),
    ("\U00020000", "\U0003ffff"),
)
"""Ranges of characters that are words of their own, because their scripts do not separate words."""


def words_in(text: str) -> list[str]:
    """The words of a text in lower case, without accents. Each Chinese, Japanese, Korean or Thai character is one."""
    words: list[str] = []
    inside = False
    for character in _folded(text):
        if unicodedata.category(character)[0] not in "LNM":
            inside = False
        elif is_character(character) or not inside:
            words.append(character)
            inside = not is_character(character)
        else:
            words[-1] += character
    return words


def is_character(word: str) -> bool:
    """Whether a word is a single character of a script that does not separate words."""
    return len(word) == 1 and any(first <= word <= last for first, last in WITHOUT_SPACES)


def one_letter_apart(one: str, other: str) -> bool:
    """Whether two words differ in one letter: replaced, missing or added."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one == other:
        return False
    same = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return one[same + (len(one) == len(other)) :] == other[same + 1 :]


def _folded(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold()).translate(LETTERS)
    bare = "".join(part for part in parts if not ACCENTS[0] <= part <= ACCENTS[1])
    return unicodedata.normalize("NFC", bare)
