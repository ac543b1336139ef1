"""Text of unknown origin, as it may stand on a page."""

import re

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:])")


def plain(text: str) -> str:
    """The text with every character that Markdown would act on escaped: file names show as they are."""
    return MARKDOWN.sub(r"\\\1", text)
