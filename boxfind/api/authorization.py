"""Bearer token authorization for requests that change the gallery or the index."""

import hmac
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from boxfind.api.dependencies import Serving
from boxfind.api.problems import NobodyMay, NoToken
from boxfind.logs import log

BEARER = HTTPBearer(auto_error=False, description="The value of BOXFIND_API_TOKEN.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


async def _require_admin(request: Request, serving: Serving, shown: Credentials) -> None:
    token = serving.engine.settings.api.token.get_secret_value()
    if token and shown and hmac.compare_digest(shown.credentials.encode(), token.encode()):  # in constant time
        return
    log.warning("Refused %s %s: the token is missing or wrong.", request.method, request.scope["route"].path)
    if not token:
        raise NobodyMay("This request needs a token, but the server has none; set BOXFIND_API_TOKEN (docs/api.md).")
    raise NoToken("This request needs the administrator token; send the header Authorization: Bearer TOKEN.")


Admin = Depends(_require_admin)
"""Dependency for administrator routes. Raises and logs NoToken, NobodyMay."""
