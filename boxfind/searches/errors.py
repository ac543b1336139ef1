"""Errors of search links and saved searches, with messages for users."""

from retrieval.errors import BoxfindError


class BadLink(BoxfindError):
    """A link does not describe a valid search; `reason` is a clause without a full stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"This link is not a valid search: {self.reason}. Draw a box to start a new search."


class UnknownAlbum(BoxfindError):
    """There is no album of that name."""


class SavedSearchesProblem(BoxfindError):
    """A saved search cannot be read or written."""


class SavedSearchGone(SavedSearchesProblem):
    """A saved search was deleted, or another one was saved under its name."""
