"""Videos: what it costs to read and describe them, and whether an object is found at the right moment.

The videos are drawn: see drawn_videos.py. The queries are other drawings of the same objects.
"""

import sys
import time
from collections import defaultdict
from pathlib import Path

from benchmarks import drawn_videos
from benchmarks.bench import READING, Bench
from benchmarks.drawn_videos import Shot, draw_videos
from benchmarks.results import milliseconds, record, table
from boxfind.engine import Engine
from boxfind.samples.draw import GALLERY_SIDES, Sample, draw_sample
from retrieval.images.places import seconds_of, split_id
from retrieval.images.video import frame_at, key_frames

RANKINGS = "fast", "best"
KINDS = "film: a key frame at each cut", "camera: a key frame each second", "web site: a key frame each 5 seconds"
"""How the videos are encoded, in their order."""


def measure(bench: Bench) -> None:
    gallery = bench.scratch / "videos"
    gallery.mkdir()
    shots = draw_videos(gallery)
    engine = Engine(bench.settings.changed(gallery=gallery, index=bench.scratch / "videos index"))
    reading = [_reading(path, kind, shots) for path, kind in zip(sorted(gallery.iterdir()), KINDS, strict=False)]
    built = _built(engine, len(reading) * drawn_videos.SECONDS)
    read = ["video, 1080p", "Mbit/s", "pictures", "shots with a picture", "CPU s a minute", "times real time"]
    read += ["ms to show a moment p50", "p95"]
    record(
        "Videos",
        table(read, reading),
        table(["minutes of video", "pictures", "s to read and describe", "times real time", "s in all"], [built]),
        table(
            ["ranking", "objects", "first at the right shot", "in the first three", "query ms p50", "p95"],
            [_found(engine, shots, ranking) for ranking in RANKINGS],
        ),
    )


def _reading(path: Path, kind: str, shots: list[Shot]) -> list[object]:
    """Key frames of a video, which one core reads, and its frames at their times."""
    length, began = drawn_videos.SECONDS, time.process_time()
    times = [seconds for seconds, _ in key_frames(path)]
    spent = time.process_time() - began
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


def _built(engine: Engine, length: float) -> list[object]:
    """Build an index of videos that have `length` seconds together; the network and two decoders share the cores."""
    spent: dict[str, float] = defaultdict(float)
    last = time.perf_counter()

    def progress(stage: str, _done: int, _total: int) -> None:
        nonlocal last
        now = time.perf_counter()
        spent[stage] += now - last
        last = now

    began = time.perf_counter()
    engine.build(progress)
    seconds = time.perf_counter() - began
    print(dict(spent), file=sys.stderr, flush=True)
    described = spent[READING]
    count = engine.gallery().manifest.counts.images
    return [f"{length / 60:.0f}", count, f"{described:.1f}", f"{length / described:.0f}", f"{seconds:.1f}"]


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
            print(ranking, name, places[-1], [hit.image for hit in hits[:3]], file=sys.stderr, flush=True)
    firsts = [sum(place < most for place in places) for most in (1, 3)]
    return [ranking, len(names), *firsts, *milliseconds(waits[1:])]


def _shows(image: str, name: str, shots: list[Shot]) -> bool:
    """Whether a picture lies in a shot with this object."""
    video, place = split_id(image)
    return any(
        shot.video == video and name in shot.objects and shot.start <= seconds_of(place) < shot.end for shot in shots
    )
