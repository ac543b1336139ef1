"""Text of unknown origin, as it may stand on a page."""

import re

from retrieval.printable_names import printable

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
ADDRESS = re.compile(r"www(?=\.)|https?(?=://)|@", re.IGNORECASE)
"""Where Markdown sees the beginning of a link, escaped or not."""
WORD_JOINER = "\u2060"


def plain(text: str) -> str:
    """The text on one line, without anything that Markdown would act on: file names show as they are.

    What looks like an address gets a character into it that takes no room, so that it does not become a link.
    """
    joined = ADDRESS.sub(rf"\g<0>{WORD_JOINER}", printable(text))
    return MARKDOWN.sub(r"\\\1", joined)
