"""Attach an index to the new place of its gallery folder: nothing is read again."""

from pathlib import Path

from index.building.jobs import locked
from index.storage.blobs import share
from index.storage.disk_space import room_in
from index.storage.generation import served_generation
from index.storage.manifest import Changes
from index.storage.publishing import Prepare, no_preparation, publish, publish_wave, scratch_folder


def attach_gallery(index_dir: Path, gallery: Path, prepare: Prepare = no_preparation) -> Path:
    """Serve a generation like the current one that names another gallery folder, and return its folder.

    Its files are hard links, or copies if the disk has no hard links. The next update finds what has changed in the
    folder. Raises IndexProblem, BuildRunning, DiskFull, and what `prepare` raises.
    """
    with locked(index_dir), room_in(index_dir), scratch_folder(index_dir) as folder:
        served, _ = served_generation(index_dir)
        manifest = served.manifest
        for name in manifest.files:
            share(name, served.folder, folder)
        changes = Changes(kept=manifest.counts.images)
        moved = manifest.model_copy(update={"gallery": str(gallery.resolve()), "changes": changes})
        if manifest.wave:  # of a build that was interrupted: the last complete generation stays
            return publish_wave(folder, index_dir, moved)
        return publish(folder, index_dir, moved, served.folder, prepare)
