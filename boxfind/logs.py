"""The operator log on standard error: one line per event, without request paths or picture names."""

import logging

log = logging.getLogger("boxfind")
if not log.handlers:
    _handler = logging.StreamHandler()
    _handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(_handler)
    log.setLevel(logging.INFO)
