"""The engine: open the gallery, load networks, answer searches and run builds as the settings say."""

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from boxfind.embedders import (
    class_names_file,
    embedder_for_building,
    embedder_for_searching,
    is_asked_for,
    text_problem,
    text_tower,
)
from boxfind.executors import EXECUTORS
from boxfind.fair_turns import FairTurns
from boxfind.lazy_values import LazyValues
from boxfind.searches.albums import Album, Albums
from boxfind.searches.errors import UnknownAlbum
from boxfind.searches.saved_searches import normalised
from boxfind.settings import PROJECT, Settings
from boxfind.stores import preparation, publisher_for
from boxfind.update_notice import UpdateNotice
from boxfind.uploads import Upload
from index.building.build import BuildOptions, build
from index.building.cancellation import Cancellation
from index.building.decoder_pool import DecoderPool
from index.building.jobs import BuildState, build_state, building, request_cancel, start_build_process
from index.building.read_text import TextProgress, is_reading, read_text, stop_reading, text_progress
from index.building.reading_time import seconds_per_picture
from index.gallery import Gallery, make_gallery
from index.storage.generation import current_folder, served_generation
from index.storage.manifest import read_manifest
from index.storage.picture_filter import passing
from index.storage.publishing import Prepare
from index.storage.sources import Reading
from retrieval.answer import Answering, answer
from retrieval.blas_threads import one_blas_thread
from retrieval.cpus import cpu_count
from retrieval.descriptors.embedder import Embedder
from retrieval.descriptors.recipe import Recipe
from retrieval.errors import Busy, IndexProblem, pick
from retrieval.images.decode import LoadedImage
from retrieval.optional_packages import RAPIDOCR
from retrieval.printable_names import shown
from retrieval.request import Example, PictureFilter, Request
from retrieval.text.text_search import TextScorer, class_text_scorer, describe_nothing, tower_text_scorer
from retrieval.text.written_text import QUERY_LINES, QUERY_SIDE, TextReader
from retrieval.types import Box, Hit, Image, Notify, Progress, Query, WrittenLine

if TYPE_CHECKING:  # importing it needs pymilvus
    from index.milvus.publish import Publisher

MEANWHILE = "Milvus is not reachable; searching the vectors on this machine until it is back."
DECODERS = min(max(cpu_count(), 2), 4)
"""Workers that decode visitors' pictures; one client uses all but one."""
DECODE_SECONDS = 10.0
"""Timeout of a visitor's picture. The slowest legal ones, WebP of 100 million pixels, take 6 s on an AMD EPYC core."""
READ_SECONDS = 60.0
"""Timeout for reading the text of one picture; a page of a document may have hundreds of lines."""
READ_MEMORY, READ_PICTURES = 4 * 1024**3, 150
"""Bytes that a worker may allocate while it reads, and pictures after which it is replaced: OpenVINO keeps memory."""
DECODE_WAIT = 15.0
"""Seconds that a picture waits for a worker."""
EMBEDDERS = 4
"""Number of most recently loaded networks to keep."""
QUERY_PIXELS = 16_000_000
"""Pixels kept of a query picture. Photographs of 12 megapixels are smaller, so that small objects keep every pixel."""


@dataclass(frozen=True, slots=True)
class _Served:
    """An open gallery, the content of CURRENT when it was opened, and a warning for users."""

    gallery: Gallery
    pointer: str
    warning: str


class Engine:
    """One engine per process. All methods are thread-safe; slow work happens outside locks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._served: _Served | None = None
        self._opening = threading.Lock()
        self._pool: DecoderPool | None = None
        self._retired = False
        self._decoding = FairTurns(DECODERS, seconds=DECODE_WAIT, spare=1)
        self._searching = FairTurns(settings.api.searches)
        self._publishers: LazyValues[str, Publisher | None] = LazyValues(keep=1)
        self._embedders: LazyValues[Recipe, Embedder] = LazyValues(keep=EMBEDDERS)
        self._text_scorers: LazyValues[Path, TextScorer] = LazyValues(keep=1)
        self._text_readers: LazyValues[int, TextReader] = LazyValues(keep=1)
        self._update_notice = UpdateNotice(settings)

    def gallery(self, newest: bool = False) -> Gallery:
        """Return the served generation, reopened when it has changed. Raises IndexProblem.

        While one thread opens a new generation, the others keep using the previous one; `newest` waits for the new one.
        If it is damaged, the last intact one is served and `warning` says so.
        """
        served, pointer = self._served, self._current()
        if served is not None and served.pointer == pointer:
            return served.gallery
        if not self._opening.acquire(blocking=newest or served is None):
            assert served is not None
            return served.gallery
        try:
            pointer = self._current()
            if self._served is None or self._served.pointer != pointer:
                self._served = self._open(pointer)
            return self._served.gallery
        finally:
            self._opening.release()

    def warning(self) -> str:
        """Return a warning for users about the served index; empty if there is none."""
        return " ".join(filter(None, [self._served.warning if self._served else "", self.store_problem()]))

    def store_problem(self) -> str:
        """Return a message while Milvus is unreachable; empty if it is reachable or not used."""
        if self.settings.search.store != "milvus" or self._served is None:
            return ""
        publisher = self._publisher()
        if publisher is None or not publisher.milvus.is_unavailable():
            return ""
        return MEANWHILE if self.settings.milvus.fallback else publisher.milvus.trouble

    def read_picture(
        self,
        data: bytes | Callable[[], bytes],
        name: str,
        client: str = "",
        *,
        pixels: int = QUERY_PIXELS,
        place: str = "",
    ) -> LoadedImage:
        """Decode a visitor's picture in a separate process, scaled down to at most `pixels` pixels.

        `place` is that of one of several pictures, the first one by default. A function that reads the data is called
        when its turn has come. `client` (`client_of`) is who sent it; clients
        take turns. Raises UnreadableImage, Busy, and the errors of the function.
        """
        with self._decoding.hold(client):
            pool = self._decoders()
            picture = data if isinstance(data, bytes) else data()
            return pool.decode(picture, name, pixels, reading=self.reading, place=place)

    def open_upload(self, data: bytes, name: str, client: str = "") -> Upload:
        """Look what a visitor's file holds: one picture, or several to choose from, such as the pages of a document.

        Raises UnreadableImage and Busy.
        """
        upload = Upload.of(data, name)
        with self._decoding.hold(client):
            contents = self._decoders().list_contents(upload.path, name, self.reading)
        return replace(upload, contents=contents)

    def read_upload(self, upload: Upload, place: str, client: str = "") -> bytes:
        """Return the bytes of a picture file: the upload itself if it is one, or a PNG of one of its pictures.

        `place` is one of its `places`, or for a film the result of `time_place`. Raises UnreadableImage and Busy.
        """
        if not place and upload.is_picture:
            return upload.path.read_bytes()
        with self._decoding.hold(client):
            return self._decoders().encode_picture(upload.path, upload.name, place, self.reading)

    @property
    def reading(self) -> Reading:
        """How files are read: the limits of the settings."""
        return Reading(self.settings.source_limits, self.settings.build.incomplete)

    def _decoders(self) -> DecoderPool:
        """The workers that decode visitors' pictures. Raises Busy."""
        with self._lock:
            if self._retired:
                raise Busy("Another gallery is being opened; try again in a moment.")
            if self._pool is None:
                self._pool = DecoderPool(DECODERS, DECODE_SECONDS, keep_memory=False)
            return self._pool

    def search(self, gallery: Gallery, image: Image, box: Box, top: int = 10, ranking: str = "fast") -> list[Hit]:
        """Return the gallery images that contain the object in the box, best first.

        Raises BadBox, IndexProblem (StoreUnavailable while Milvus is unreachable), WeightsMissing, UnknownName.
        """
        return self.answer(gallery, Request((Example("", box),), ranking), {"": LoadedImage.of(image)}, top)

    def answer(
        self,
        gallery: Gallery,
        request: Request,
        images: Mapping[str, LoadedImage],
        top: int = 10,
        client: str = "",
    ) -> list[Hit]:
        """Answer a request with gallery images, best first; `top` 0 returns all. `images`: query images by SHA-256.

        An album that does not exist has no pictures, and a filter that no picture passes gives no hits.
        Clients (`client_of`) take turns. Raises the errors of `search`, BadBox also when the request has neither words
        nor a box, GalleryProblem when the requested folder is empty, and Busy.
        """
        settings = self.settings.search

        def describe(picture: LoadedImage, box: Box, context: float) -> Query:
            embedder, mode = self.embedder(gallery.manifest.recipe), settings.query_mode
            return embedder.query(picture.image, box, gallery.whitening, context, mode, picture.size)

        part = self.filtered(gallery, request.only)
        if request.only.parts and not part.below(request.folder).image_count:
            return []
        answering = Answering(
            describe,
            lambda: self.text_scorer(gallery),
            self.read_query if self._reads_text() else None,
            settings.min_similarity,
            settings.score_tie_eps,
        )
        # A search is many small matrix products, which are several times slower on several BLAS threads.
        with self._searching.hold(client), one_blas_thread():
            return answer(request, images, part, answering, top)

    def filtered(self, gallery: Gallery, only: PictureFilter) -> Gallery:
        """Return the part of a whole gallery that passes a filter. Raises SavedSearchesProblem."""
        if not only.parts:
            return gallery
        return gallery.only(passing(only, gallery.tables, self.album(only.album).pictures))

    def album(self, name: str) -> Album:
        """Return an album; an empty one if there is none of this name. Raises SavedSearchesProblem."""
        return Albums(self.settings.searches_file).get(name) if name else Album(name)

    def check_album(self, name: str) -> None:
        """Raises UnknownAlbum if no album has this name, unless it is empty, and SavedSearchesProblem."""
        if name and normalised(name) not in Albums(self.settings.searches_file).names():
            raise UnknownAlbum(f"There is no album called {shown(name)!r}; the Gallery page lists the albums.")

    def text_scorer(self, gallery: Gallery) -> TextScorer:
        """Return the cached scorer for text searches of a gallery. Raises RuntimeMissing, IndexProblem."""

        def make() -> TextScorer:
            problem = self._description_problem(gallery)
            if problem and gallery.written_text.revision():
                return describe_nothing
            if problem:
                raise IndexProblem(problem)
            tower, whole = text_tower(gallery.manifest.recipe), gallery.below("")
            return (
                tower_text_scorer(whole, tower) if tower else class_text_scorer(whole, class_names_file(self.settings))
            )

        return self._text_scorers.get(gallery.folder, make)

    def text_problem(self, gallery: Gallery) -> str:
        """Return why a gallery cannot be searched by text; empty if it can. Loads no network."""
        return "" if gallery.written_text.revision() else self._description_problem(gallery)

    def _description_problem(self, gallery: Gallery) -> str:
        """Why the network cannot search by description; empty if it can."""
        return text_problem(gallery.manifest.recipe, classified=gallery.class_scores.classes.shape[1] > 0)

    def embedder(self, recipe: Recipe) -> Embedder:
        """Return the cached embedder of a recipe. Raises IndexProblem, WeightsMissing, RuntimeMissing."""
        return self._embedders.get(recipe, lambda: embedder_for_searching(recipe, self.settings))

    def read_query(self, crop: Image) -> list[WrittenLine]:
        """Read what is written in a query crop. The networks are loaded once. Raises RuntimeMissing."""
        return self._text_readers.get(QUERY_SIDE, lambda: TextReader(QUERY_SIDE, QUERY_LINES)).read(crop)

    def load(self, gallery: Gallery) -> None:
        """Load all networks that searches of a gallery by box use. Raises the errors of `embedder`."""
        self.embedder(gallery.manifest.recipe)
        if self._reads_text() and gallery.has_text:
            self.read_query(np.zeros((32, 32, 3), np.uint8))

    def _reads_text(self) -> bool:
        return self.settings.build.text and RAPIDOCR.installed

    def update_notice(self, gallery: Gallery, measure: bool = True) -> str:
        """Return why the next update reads all images again, and about how long it takes; empty if it does not.

        Without `measure`, which keeps the CPUs busy, the time is given only if it is known.
        """
        return self._update_notice.sentence(gallery.manifest, measure)

    def rebuild_sentence(self, gallery: Gallery) -> str:
        """Return what a full build reads, and about how long it takes."""
        return self._update_notice.rebuild_sentence(gallery.manifest)

    def build(
        self,
        progress: Progress,
        full: bool = False,
        notify: Notify = lambda _: None,
        cancellation: Cancellation | None = None,
    ) -> Path:
        """Update the index in this process and return the folder of the generation that is then served.

        `full` describes every image and learns the whitening again. `notify` receives the reason and the time when all
        images must be read again. Without a configured gallery, the sample gallery is drawn first. It can be cancelled,
        through `cancellation` or from another process, until its result is about to be served.

        Raises BuildRunning, BuildCancelled, GalleryProblem, DiskFull, WeightsMissing, RuntimeMissing, ClusterProblem,
        UnknownName, BadHead. Raises StoreUnavailable before any work when Milvus is configured but unreachable.
        """
        settings = self.settings
        start = pick(EXECUTORS, "engine", settings.build.engine)
        with building(settings.index_dir, cancellation) as report:

            def both(stage: str, done: int, total: int) -> None:
                report(stage, done, total)
                progress(stage, done, total)

            def tell(sentence: str) -> None:
                report.notify(sentence)
                notify(sentence)

            publisher = self._publisher()
            prepare = preparation(publisher, both)

            def prepare_to_serve(folder: Path) -> None:
                prepare(folder)
                report.cancellation.close()

            if settings.is_sample:
                from boxfind.samples.draw import draw_samples  # only a sample gallery needs it

                draw_samples(settings.sample_folder, both)
            embedder, note = embedder_for_building(settings, both, None if full else self._recipe_before())
            with start(settings, embedder) as executor:
                options = self._build_options(embedder, note, full, prepare_to_serve, tell)
                folder = build(settings.gallery_dir, settings.index_dir, executor, both, options)
            if publisher:
                publisher.drop_others(settings.index_dir)
            return folder

    def read_text(self, progress: Progress, cancellation: Cancellation | None = None) -> int:
        """Read what is written in pictures that have not been read yet, and return their number. Run it after a build.

        Does nothing if `settings.build.text` is off, or if another process is at it. It can be cancelled like a build;
        what was read until then is kept. Raises BuildCancelled, IndexProblem, RuntimeMissing.
        """
        build, cancellation = self.settings.build, cancellation or Cancellation()
        if not build.text:
            return 0

        def report(stage: str, done: int, total: int) -> None:
            cancellation.check()
            progress(stage, done, total)

        start_pool = partial(DecoderPool, build.workers, READ_SECONDS, READ_MEMORY, pictures=READ_PICTURES)
        return read_text(self.settings.index_dir, start_pool, build.workers, report, build.incomplete)

    def text_progress(self) -> TextProgress | None:
        """Return how many pictures have been read for text, while they are being read; None if they are not.

        Raises IndexProblem if there is no index.
        """
        return text_progress(self.gallery()) if is_reading(self.settings.index_dir) else None

    def stop_reading(self) -> bool:
        """Ask the process that reads what is written in pictures to stop; False if there is none."""
        return stop_reading(self.settings.index_dir)

    def _build_options(
        self, embedder: Embedder, note: str, full: bool, prepare: Prepare, notify: Notify
    ) -> BuildOptions:
        options = BuildOptions(
            note,
            full,
            self.settings.search.store,
            prepare,
            notify,
            exact_precision=is_asked_for(embedder.recipe.precision, self.settings),
            rules=self.settings.gallery_rules,
        )
        if self.settings.build.engine != "local":  # the speed of a cluster is unknown
            return options
        return replace(options, estimate=partial(seconds_per_picture, workers=self.settings.build.workers))

    def start_build(self, full: bool = False) -> None:
        """Start a build in a separate process that outlives this one. Do nothing while a build is running.

        Raises IndexProblem when the index folder is not writable.
        """
        with self._lock:
            if self.is_building():
                return
            try:
                start_build_process(self._build_command(full), self.settings.index_dir)
            except OSError as error:
                raise IndexProblem(f"The build cannot be started: {error.strerror}.") from None

    def cancel_build(self, build: str = "") -> BuildState | None:
        """Ask the running build, whichever process started it, to stop; with `build`, only if it has this id.

        Returns its state, or None if no such build is running.
        """
        return request_cancel(self.settings.index_dir, build)

    def build_state(self) -> BuildState | None:
        """Return the state of the running or last build of any process; None if there has been none."""
        return build_state(self.settings.index_dir)

    def is_building(self) -> bool:
        """Whether a build of any process is running."""
        state = self.build_state()
        return state is not None and state.state == "running"

    def close(self) -> None:
        """Stop the decoder processes; the next image starts new ones. A running build continues."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def retire(self) -> None:
        """Refuse pictures from now on; those that are being decoded are finished in the background."""
        with self._lock:
            self._retired = True
            pool, self._pool = self._pool, None
        if pool is not None:
            threading.Thread(target=pool.drain, name="drain decoders", daemon=True).start()

    def _open(self, pointer: str) -> _Served:
        generation, warning = served_generation(self.settings.index_dir)
        if self._served is not None and self._served.gallery.folder == generation.folder:
            return _Served(self._served.gallery, pointer, warning)
        publisher, search = self._publisher(), self.settings.search
        collection = publisher.collection(generation) if publisher else None
        return _Served(make_gallery(generation, search.store, search.fetch_k, collection), pointer, warning)

    def _publisher(self) -> "Publisher | None":
        return self._publishers.get("", lambda: publisher_for(self.settings))

    def _recipe_before(self) -> Recipe | None:
        try:
            return read_manifest(current_folder(self.settings.index_dir)).recipe
        except IndexProblem:
            return None

    def _current(self) -> str:
        try:
            return (self.settings.index_dir / "CURRENT").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _build_command(self, full: bool) -> list[str]:
        settings = self.settings
        command = [sys.executable, str(PROJECT / "cli.py"), "build", *(["--full"] if full else [])]
        if settings.gallery:
            command += ["--gallery", str(settings.gallery_dir)]
        return [*command, "--index", str(settings.index_dir)]
