"""What the program tells its operator on standard error: a line an event, with no path and no picture in it."""

import logging

log = logging.getLogger("boxfind")
if not log.handlers:
    _handler = logging.StreamHandler()
    _handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(_handler)
    log.setLevel(logging.INFO)
