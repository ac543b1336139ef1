"""Limit the uploads that Streamlit keeps in memory: those of a session, and those of all sessions together.

Streamlit accepts any number of files from an open page, also under file ids that it never gave out.
"""

from functools import cache

from starlette.exceptions import HTTPException
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

SESSION_FILES = 500
SESSION_BYTES = 500_000_000
ALL_BYTES = 1_000_000_000
_add_file = MemoryUploadedFileManager.add_file


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
            f"Uploads are limited to {SESSION_FILES} files and {SESSION_BYTES // 10**6} MB; reload the page.",
        )
    held[session_id] = own
    while sum(held.values()) > ALL_BYTES:
        largest = max(held, key=held.__getitem__)
        if largest == session_id:
            raise HTTPException(507, "The server holds too many uploads; try again later.")
        manager.remove_session_files(largest)
        del held[largest]
    _add_file(manager, session_id, file)
