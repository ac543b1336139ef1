"""Cancel a build at any time until its result is served."""

from retrieval.errors import BuildCancelled

CANCELLED = "Cancelled. Finished work is kept, and the next build continues from there."


class Cancellation:
    """A request to cancel one build. Signal handlers and other threads may make it."""

    def __init__(self) -> None:
        self.requested = False
        self._closed = False

    def request(self) -> None:
        """Raise BuildCancelled here and at every later check. Has no effect after `close`."""
        self.requested = True
        self.check()

    def check(self) -> None:
        """Raise BuildCancelled if the build is to be cancelled."""
        if self.requested and not self._closed:
            raise BuildCancelled(CANCELLED)

    def close(self) -> None:
        """Take no more requests: the result is about to be served. Raises BuildCancelled if one was made before."""
        self._closed = True  # first, so that a signal handler that runs from here on does not raise
        if self.requested:
            raise BuildCancelled(CANCELLED)
