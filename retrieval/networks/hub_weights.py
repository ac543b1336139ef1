"""Files of the Hugging Face hub: find them in its cache on this machine, ask for checksums, and keep files there."""

import hashlib
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHA256_OR_GIT = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
"""The hub names the SHA-256 of a large file, and git's SHA-1 of a small one."""
COMMIT = re.compile(r"[0-9a-f]{40}")
NOT_THE_HUB = "the answer is not that of the hub; a proxy or a login page may have replaced it"


class HubProblem(OSError):
    """The hub has no such file, or does not answer as the hub does. `strerror` says so."""

    def __init__(self, sentence: str) -> None:
        super().__init__(0, sentence)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of the hub as it is kept on this machine, or as the hub describes it."""

    file: str
    revision: str
    """The commit of its repository."""
    checksum: str
    """That of the hub, see SHA256_OR_GIT; empty if the cache does not hold it."""
    bytes: int
    path: Path | None = None


def cache_folder() -> Path:
    """The hub's cache on this machine, which timm, open_clip and the command `hf` use too."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def repository_folder(repository: str) -> str:
    """The name of a repository's folder in the cache."""
    from huggingface_hub.file_download import repo_folder_name

    return repo_folder_name(repo_id=repository, repo_type="model")


def kept_file(repository: str, files: tuple[str, ...]) -> HubFile | None:
    """The first of these files that is in the cache; None if none is. The network is not used."""
    from huggingface_hub import try_to_load_from_cache

    for file in files:
        found = try_to_load_from_cache(repository, file, cache_dir=cache_folder())
        if isinstance(found, str):
            path = Path(found)
            blob = Path(os.path.realpath(path)).name  # the cache names contents by the hub's checksum
            checksum = blob if SHA256_OR_GIT.fullmatch(blob) else ""
            revision = path.parts[-2 - file.count("/")]
            return HubFile(file, revision, checksum, path.stat().st_size, path)
    return None


def ask_hub(repository: str, files: tuple[str, ...], seconds: float) -> tuple[HubFile, str, dict[str, str]]:
    """What the hub says about the first of these files that it has, its address, and the headers to ask for it with.

    `seconds` limits each pause of the connection. Raises OSError.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError
    from huggingface_hub.utils._headers import build_hf_headers

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it warns of each retry; the caller tells the outcome
    for file in files:
        try:
            found: Any = get_hf_file_metadata(hf_hub_url(repository, file), timeout=seconds)
        except EntryNotFoundError:
            continue
        except ValueError:  # a size that is no number
            raise HubProblem(NOT_THE_HUB) from None
        except GatedRepoError:
            raise HubProblem(
                f"the hub asks you to accept the terms of {repository} on its page first, and to log in with "
                "`hf auth login`"
            ) from None
        except RepositoryNotFoundError:
            raise HubProblem(f"the hub has no public repository {repository}") from None
        checksum, revision = str(found.etag or ""), str(found.commit_hash or "")
        if not SHA256_OR_GIT.fullmatch(checksum) or not COMMIT.fullmatch(revision):
            raise HubProblem(NOT_THE_HUB)
        about = HubFile(file, revision, checksum, int(found.size or 0))
        return about, hf_hub_url(repository, file, revision=revision), build_hf_headers()
    raise HubProblem(f"{repository} has no file {' or '.join(files)}")


def keep_file(repository: str, about: HubFile, save: Callable[[Path], object]) -> Path:
    """Keep a file in the cache as the hub's own program does. `save` writes the blob, complete and checked, to a path.

    Returns the path of the file in its snapshot. Raises OSError.
    """
    folder = cache_folder() / repository_folder(repository)
    blob = folder / "blobs" / about.checksum
    pointer = folder / "snapshots" / about.revision / about.file
    for place in (blob, pointer, folder / "refs" / "main"):
        place.parent.mkdir(parents=True, exist_ok=True)
    save(blob)
    pointer.unlink(missing_ok=True)
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:  # Windows allows links to administrators and developers only
        blob.replace(pointer)
    (folder / "refs" / "main").write_text(about.revision, encoding="utf-8")
    return pointer


def git_sha1(path: Path) -> str:
    """The SHA-1 by which git names the contents of a file."""
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
