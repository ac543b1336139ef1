"""Serve films and documents of the gallery to browsers, in parts, under addresses that nobody can guess.

Streamlit would read a whole film into memory. A page that another site runs in the same browser cannot ask for files,
since it does not know their addresses.
"""

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import streamlit as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from boxfind.collection_table import CollectionsProblem
from boxfind.logs import log
from retrieval.errors import BoxfindError, IndexProblem

if TYPE_CHECKING:  # slow imports
    from boxfind.engines import Engines
    from index.gallery import Gallery

SHOW, SAVE = "show", "save"
"""What a browser does with a file: show a film or PDF, save any file."""
SECRET = secrets.token_bytes(32)


def source_address(gallery: "Gallery", image: str, use: str) -> str:
    """The address of the file that holds a gallery picture, valid until this process ends. For page runs."""
    index = _index_hash(gallery.folder.parent)
    page = urlsplit(st.context.url or "http://127.0.0.1")
    place = f"{_token(index, image, use)}/{index}/{quote(image, safe='')}"
    return f"{page.scheme}://{page.netloc}{_base()}/source/{use}/{place}"


def source_route() -> Route:
    """The route of these addresses."""
    return Route(f"{_base()}/source/{{use}}/{{token}}/{{index}}/{{image:path}}", _serve, methods=["GET", "HEAD"])


def _serve(request: Request) -> FileResponse:
    use, token, index, image = (request.path_params[name] for name in ("use", "token", "index", "image"))
    if use not in (SHOW, SAVE) or not hmac.compare_digest(token.encode(), _token(index, image, use).encode()):
        raise HTTPException(404)
    from boxfind.export.source_file import SAFE_HEADERS, shown_file
    from boxfind.ui.session import shared_engines  # slow imports, which need not delay the start of the server
    from index.operations.read_original import source_file

    try:
        gallery = _gallery(shared_engines(), index)
        if use == SHOW:
            path, kind = shown_file(gallery, image)
            return FileResponse(path, 200, SAFE_HEADERS, kind, filename=path.name, content_disposition_type="inline")
        path = source_file(gallery, image)
    except (IndexProblem, CollectionsProblem) as problem:  # these name folders
        log.error("A file cannot be served: %s", problem)
        raise HTTPException(404) from None
    except BoxfindError as problem:
        raise HTTPException(404, str(problem)) from None
    return FileResponse(path, filename=path.name, media_type="application/octet-stream", headers=SAFE_HEADERS)


def _gallery(engines: "Engines", index: str) -> "Gallery":
    """The gallery of the index with this hash. Raises HTTPException if its collection has been removed."""
    for collection in engines.collections.all():
        engine = engines.of(collection)
        if _index_hash(engine.settings.index_dir) == index:
            return engine.gallery()
    raise HTTPException(404)


def _index_hash(index: Path) -> str:
    return hashlib.sha256(bytes(index.resolve())).hexdigest()[:16]


def _token(index: str, image: str, use: str) -> str:
    return hmac.new(SECRET, f"{use} {index} {image}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def _base() -> str:
    """The path below which this server is published, such as /boxfind; usually empty."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""
