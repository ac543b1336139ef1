"""The time that a build still takes, in words."""

from index.building.describe_all import FINDING, READING
from index.building.jobs import BuildState

LONG = (READING, FINDING)
"""The stages that take most of a build. The time left of any other one says little about the whole."""


def time_left(build: BuildState) -> str:
    """ "41 min left"; empty while it is not known."""
    if build.stage not in LONG or build.seconds_left is None:
        return ""
    return in_words(build.seconds_left)


def in_words(seconds: float) -> str:
    """ "60 s left", "41 min left"."""
    return f"{seconds:.0f} s left" if seconds < 90 else f"{seconds / 60:.0f} min left"
