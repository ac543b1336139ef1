"""Bearer token authorization for requests that change the gallery or the index."""

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from boxfind.api.dependencies import App, Client
from boxfind.logs import log

BEARER = HTTPBearer(auto_error=False, description="The value of BOXFIND_API_TOKEN.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


async def _is_admin(app: App, client: Client, shown: Credentials) -> bool:
    token = app.engines.settings.api.token.get_secret_value()
    if token and shown and hmac.compare_digest(shown.credentials.encode(), token.encode()):  # in constant time
        return True
    if token and shown:
        app.rate_limiter.count_wrong_token(client)
    return False


ByAdmin = Annotated[bool, Depends(_is_admin)]
"""Whether the request has the token. Counts wrong ones."""


async def _require_admin(request: Request, app: App, by_admin: ByAdmin) -> None:
    if by_admin:
        return
    path = request.scope["route"].path
    if not app.engines.settings.api.token.get_secret_value():
        log.warning("Refused %s %s: BOXFIND_API_TOKEN is not set.", request.method, path)
        detail = "This request needs a token, but the server has none; set BOXFIND_API_TOKEN (docs/api.md)."
        raise HTTPException(403, detail)
    log.warning("Refused %s %s: the token is missing or wrong.", request.method, path)
    detail = "This request needs the administrator token; send the header Authorization: Bearer TOKEN."
    raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})


Admin = Depends(_require_admin)
"""Dependency for administrator routes. Refuses and logs requests without the token."""
