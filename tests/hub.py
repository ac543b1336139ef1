"""Files in the layout of the Hugging Face hub's cache, and a server that answers as the hub does."""

import hashlib
import os
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import ClassVar

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def keep(cache: Path, repository: str, file: str, content: bytes, checksum: str = "") -> Path:
    """Put a file into the cache as a download does. Returns its path in the snapshot."""
    folder = cache / ("models--" + repository.replace("/", "--"))
    blob = folder / "blobs" / (checksum or hashlib.sha256(content).hexdigest())
    pointer = folder / "snapshots" / COMMIT / file
    for path in (blob, pointer, folder / "refs" / "main"):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    (folder / "refs" / "main").write_text(COMMIT)
    return pointer


class HubHandler(BaseHTTPRequestHandler):
    """The hub with the files `files`, by path. It fails as `fault` says."""

    files: ClassVar[dict[str, bytes]] = {}
    fault: ClassVar[str] = ""
    patience: ClassVar[Event] = Event()
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        self.asked.append(f"{self.command} {self.path}")
        if self.fault == "silent":
            self.patience.wait(20)
            return
        repository, _, rest = self.path.partition("/resolve/")
        content = self.files.get(f"{repository[1:]}/{rest.partition('/')[2]}")
        if content is None:
            known = any(name.startswith(repository[1:] + "/") for name in self.files)
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
            self.end_headers()
            return
        self.send_response(200)
        if self.fault != "login page":
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content[::-1] if self.fault == "other content" else content)

    def log_message(self, *_: object) -> None:
        pass
