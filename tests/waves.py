"""Make the served generation look like one that a build publishes while it goes on."""

import json
from pathlib import Path

from index.storage.generation import current_folder


def make_wave(index_dir: Path, found: int, without_keypoints: int = 0) -> None:
    """Say in the served generation that its build has found this many pictures, and lacks the keypoints of some."""
    file = current_folder(index_dir) / "manifest.json"
    wave = {"found": found, "without_keypoints": without_keypoints}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"wave": wave}))
