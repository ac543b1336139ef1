"""What can go wrong with searches that are sent and kept, in sentences for the person in front of the screen."""

from retrieval.errors import BoxfindError


class BadLink(BoxfindError):
    """An address that no search can be made of; `reason` says why in half a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"This link does not lead to a search: {self.reason}. Draw a box to start a new one."


class SavedSearchesProblem(BoxfindError):
    """A saved search cannot be read or written."""
