"""A build in its own process with the tiny network, for tests that kill it.

python -m tests.builder GALLERY INDEX [STEP]      kills itself at STEP, if given
python -m tests.builder GALLERY INDEX --waves     publishes waves, as many as possible

It prints "ready" when its modules are loaded and begins when standard input has a line or ends.
"""

import os
import signal
import sys
from pathlib import Path

from index.building import assemble, waves
from index.building.build import BuildOptions, build
from index.building.decoder_pool import DecoderPool
from index.building.jobs import building
from index.building.thread_executor import ThreadExecutor
from index.building.wave_rule import WaveTimes
from index.building.waves import WaveOptions
from index.storage import publishing
from tests.tiny import TINY_EMBEDDER

OFTEN = WaveTimes(first=1e-9, growth=1.2, share=1e9)
"""A wave whenever there are a few more pictures, whatever it costs."""


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(work):
    def dying(*given, **named):
        work(*given, **named)
        die()

    return dying


STEPS = {
    "before the vectors": (assemble, "new_vectors", lambda _: die),
    "after the vectors": (assemble, "write_tables", lambda _: die),
    "after the tables": (assemble, "write_neighbours", die_after),
    "before the manifest": (publishing, "_measured", lambda _: die),
    "after the manifest": (publishing, "sync_tree", lambda _: die),
    "before the folder is renamed": (publishing, "next_folder", lambda _: die),
    "after the folder was renamed": (publishing, "point_current_at", lambda _: die),
    "after CURRENT was replaced": (publishing, "point_current_at", die_after),
}
"""Steps at which a build can be killed, in order."""


def main() -> None:
    gallery, index_dir, *step = sys.argv[1:]
    options = BuildOptions()
    if step == ["--waves"]:
        waves.FEWEST = 1
        options = BuildOptions(waves=WaveOptions(OFTEN, keypoints_later=True))
    elif step:
        module, name, change = STEPS[step[0]]
        setattr(module, name, change(getattr(module, name)))
    print("ready", flush=True)
    sys.stdin.readline()
    with building(Path(index_dir)) as progress, DecoderPool(1) as pool:
        build(Path(gallery), Path(index_dir), ThreadExecutor(TINY_EMBEDDER, pool), progress, options)


if __name__ == "__main__":
    main()
