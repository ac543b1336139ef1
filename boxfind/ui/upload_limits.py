"""Limit the uploads that Streamlit keeps in memory: those of a session, and those of all sessions together.

Streamlit accepts any number of files from an open page, also under file ids that it never gave out.
"""

from functools import cache

from starlette.exceptions import HTTPException
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from retrieval.images.limits import SOURCE_SUFFIXES, SourceLimits

TYPES = [suffix.removeprefix(".") for suffix in SOURCE_SUFFIXES]
"""What upload widgets take: all that a collection may hold."""
UPLOAD_MB = 500
"""Megabytes of a file, at most. server.maxUploadSize in .streamlit/config.toml is the same."""
SESSION_FILES = 500
SESSION_BYTES = UPLOAD_MB * 2**20  # as Streamlit counts
ALL_BYTES = 1_000_000_000
_add_file = MemoryUploadedFileManager.add_file


def limits_in_words(limits: SourceLimits) -> str:
    """The limits of files as a sentence."""
    picture, document = (min(most, UPLOAD_MB) for most in (limits.picture_mb, limits.document_mb))
    return f"Pictures up to {picture} MB, PDF files and archives up to {document} MB, films up to {UPLOAD_MB} MB."


@cache
def limit_uploads() -> None:
    """Apply the limits to every upload that this process receives from now on."""
    MemoryUploadedFileManager.add_file = add_file  # type: ignore[method-assign, assignment]


def add_file(manager: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec) -> None:
    """Keep an upload. Raises HTTPException 413 above the limits of a session.

    If all sessions together have too much, the one that holds most loses its uploads. Raises HTTPException 507 if that
    is this one.
    """
    with manager._lock:
        others = [kept for key, kept in manager.file_storage.get(session_id, {}).items() if key != file.file_id]
        held = {key: sum(len(kept.data) for kept in files.values()) for key, files in manager.file_storage.items()}
    own = sum(len(kept.data) for kept in others) + len(file.data)
    if len(others) >= SESSION_FILES or own > SESSION_BYTES:
        raise HTTPException(
            413,
            f"Uploads are limited to {SESSION_FILES} files and {SESSION_BYTES // 2**20} MB; reload the page.",
        )
    held[session_id] = own
    while sum(held.values()) > ALL_BYTES:
        largest = max(held, key=held.__getitem__)
        if largest == session_id:
            raise HTTPException(507, "The server holds too many uploads; try again later.")
        manager.remove_session_files(largest)
        del held[largest]
    _add_file(manager, session_id, file)
