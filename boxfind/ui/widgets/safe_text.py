"""Escape untrusted text for Markdown."""

import re

from retrieval.printable_names import printable

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
ADDRESS = re.compile(r"www(?=\.)|https?(?=://)|@", re.IGNORECASE)
"""Link starts that Markdown recognises even when escaped."""
WORD_JOINER = "\u2060"


def plain(text: str) -> str:
    """The text on one line with Markdown escaped, so that file names appear unchanged.

    A zero-width character in addresses keeps them from becoming links.
    """
    joined = ADDRESS.sub(rf"\g<0>{WORD_JOINER}", printable(text))
    return MARKDOWN.sub(r"\\\1", joined)
