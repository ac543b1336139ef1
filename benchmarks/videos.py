"""Videos: what it costs to read and describe them, and whether an object is found at the right moment.

The videos are drawn: see drawn_videos.py. The queries are other drawings of the same objects.
"""

import time
from pathlib import Path

from benchmarks import drawn_videos
from benchmarks.bench import Bench
from benchmarks.drawn_videos import Shot, draw_videos
from benchmarks.results import milliseconds, record, table
from boxfind.engine import Engine
from boxfind.samples.draw import GALLERY_SIDES, Sample, draw_sample
from retrieval.images.places import seconds_of, split_id
from retrieval.images.video import frame_at, key_frames
from retrieval.types import quiet

RANKINGS = "fast", "best"
KINDS = "film: a key frame at each cut", "camera: a key frame each second", "web site: a key frame each 5 seconds"
"""How the videos are encoded, in their order."""


def measure(bench: Bench) -> None:
    gallery = bench.scratch / "videos"
    gallery.mkdir()
    shots = draw_videos(gallery)
    engine = Engine(bench.settings.changed(gallery=gallery, index=bench.scratch / "videos index"))
    reading = [_reading(path, kind, shots) for path, kind in zip(sorted(gallery.iterdir()), KINDS, strict=False)]
    began = time.perf_counter()
    engine.build(quiet)
    seconds, count = time.perf_counter() - began, engine.gallery().manifest.counts.images
    length = len(reading) * drawn_videos.SECONDS
    built = [f"{length / 60:.0f}", count, f"{seconds:.1f}", f"{seconds / length * 60:.1f}", f"{length / seconds:.0f}"]
    read = ["video, 1080p", "Mbit/s", "pictures", "shots seen", "s a minute", "times real time"]
    read += ["ms to show a moment p50", "p95"]
    record(
        "Videos",
        table(read, reading),
        table(["minutes of video", "pictures", "s to build", "s a minute", "times real time"], [built]),
        table(
            ["ranking", "objects", "first at the right shot", "in the first three", "query ms p50", "p95"],
            [_found(engine, shots, ranking) for ranking in RANKINGS],
        ),
    )


def _reading(path: Path, kind: str, shots: list[Shot]) -> list[object]:
    """Key frames of a video on one core, and its frames at their times."""
    length, began = drawn_videos.SECONDS, time.perf_counter()
    times = [seconds for seconds, _ in key_frames(path)]
    spent = time.perf_counter() - began
    mine = [shot for shot in shots if shot.video == path.name]
    seen = [any(shot.start <= seconds < shot.end for seconds in times) for shot in mine]
    waits = []
    for seconds in times:
        began_frame = time.perf_counter()
        frame_at(path, seconds)
        waits.append(time.perf_counter() - began_frame)
    rate = f"{path.stat().st_size * 8 / length / 1e6:.1f}"
    facts = [f"{spent / length * 60:.1f}", f"{length / spent:.0f}", *milliseconds(waits)]
    return [kind, rate, len(times), f"{sum(seen)} of {len(mine)}", *facts]


def _found(engine: Engine, shots: list[Shot], ranking: str) -> list[object]:
    """How often the first hits lie in a shot that shows the object, and the query time."""
    gallery, waits, places = engine.gallery(), [], []
    names = sorted({name for shot in shots for name in shot.objects})
    for name in names:
        image, box = draw_sample(Sample(name, len(GALLERY_SIDES)))
        began = time.perf_counter()
        hits = engine.search(gallery, image, box, 20, ranking)
        waits.append(time.perf_counter() - began)
        right = [_shows(hit.image, name, shots) for hit in hits]
        places.append(right.index(True) if True in right else len(right))
        if places[-1]:
            print(ranking, name, places[-1], [hit.image for hit in hits[:3]], flush=True)
    firsts = [sum(place < most for place in places) for most in (1, 3)]
    return [ranking, len(names), *firsts, *milliseconds(waits[1:])]


def _shows(image: str, name: str, shots: list[Shot]) -> bool:
    """Whether a picture lies in a shot with this object."""
    video, place = split_id(image)
    return any(
        shot.video == video and name in shot.objects and shot.start <= seconds_of(place) < shot.end for shot in shots
    )
