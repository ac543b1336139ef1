"""Format a count with its noun in the singular or plural."""


def counted(count: int, noun: str, plural: str = "") -> str:
    """ "1 picture", "1,200 pictures"; `plural` defaults to the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
