"""The engine: open the gallery and answer searches; builds, networks and visitors' pictures are its parts."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from boxfind.builds import Builds
from boxfind.fair_turns import FairTurns
from boxfind.lazy_values import LazyValues
from boxfind.loaded_networks import LoadedNetworks
from boxfind.recent_finds import RecentFinds
from boxfind.searches.albums import Album, Albums
from boxfind.searches.errors import UnknownAlbum
from boxfind.searches.saved_searches import normalised
from boxfind.settings import Settings
from boxfind.stores import publisher_for
from boxfind.visitor_pictures import VisitorPictures
from boxfind.watcher import Watcher
from index.gallery import Gallery, make_gallery
from index.storage.generation import served_generation
from index.storage.picture_filter import passing
from retrieval.answer import Answering, answer
from retrieval.blas_threads import one_blas_thread
from retrieval.images.decode import LoadedImage
from retrieval.printable_names import shown
from retrieval.request import Example, PictureFilter, Request
from retrieval.types import Box, Hit, Image, Query

if TYPE_CHECKING:  # importing it needs pymilvus
    from index.milvus.publish import Publisher

MEANWHILE = "Milvus is not reachable; searching the vectors on this machine until it is back."


@dataclass(frozen=True, slots=True)
class _Served:
    """An open gallery, the content of CURRENT when it was opened, and a warning for users."""

    gallery: Gallery
    pointer: str
    warning: str


class Shared:
    """What the engines of a process share: networks, which need most of the memory, decoders, and turns to search."""

    def __init__(self, settings: Settings) -> None:
        self.networks = LoadedNetworks(settings)
        self.visitor_pictures = VisitorPictures(settings.reading)
        self.searching = FairTurns(settings.api.searches)


class Engine:
    """One engine per collection. All methods are thread-safe; slow work happens outside locks."""

    def __init__(self, settings: Settings, shared: Shared | None = None) -> None:
        """Without `shared`, this is the only engine of the process."""
        shared = shared or Shared(settings)
        self.settings = settings
        self.networks = shared.networks
        self.visitor_pictures = shared.visitor_pictures
        self.builds = Builds(settings, self._publisher)
        self.watcher = Watcher(settings, self.builds, self.gallery)
        self.recent_finds = RecentFinds()
        self._served: _Served | None = None
        self._opening = threading.Lock()
        self._searching = shared.searching
        self._publishers: LazyValues[str, Publisher | None] = LazyValues(keep=1)

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

    def generation(self) -> str:
        """Return what names the served generation, to notice a new one without opening it; empty without an index."""
        return self._current()

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

    def watch(self) -> None:
        """Watch the gallery folder if the settings say so, and update the index by itself. Safe to call twice."""
        if self.settings.watches:
            self.watcher.start()

    def stop_watching(self) -> None:
        """Stop watching the gallery folder. Safe to call twice."""
        self.watcher.stop()

    def search(self, gallery: Gallery, image: Image, box: Box, top: int = 10, ranking: str = "fast") -> list[Hit]:
        """Return the gallery images that contain the object in the box, best first.

        Raises BadBox, IndexProblem (StoreUnavailable while Milvus is unreachable), WeightsMissing, UnknownName.
        """
        request = Request((Example("", box),), ranking)
        return self.answer(gallery, request, {"": LoadedImage.of(image)}, top, note_finds=False)

    def answer(
        self,
        gallery: Gallery,
        request: Request,
        images: Mapping[str, LoadedImage],
        top: int = 10,
        client: str = "",
        note_finds: bool = True,
    ) -> list[Hit]:
        """Answer a request with gallery images, best first; `top` 0 returns all. `images`: query images by SHA-256.

        `note_finds`: a person looks at the hits, so a build reads their text and details first. An album that does not
        exist has no pictures, and a filter that no picture passes gives no hits. Clients (`client_of`) take turns.
        Raises the errors of `search`, BadBox also when the request has neither words nor a box, GalleryProblem when the
        requested folder is empty, and Busy.
        """
        settings = self.settings.search

        def describe(picture: LoadedImage, box: Box, context: float) -> Query:
            embedder, mode = self.networks.embedder(gallery.manifest.recipe), settings.query_mode
            return embedder.query(picture.image, box, gallery.whitening, context, mode, picture.size)

        part = self.filtered(gallery, request.only)
        if request.only.parts and not part.below(request.folder).image_count:
            return []
        answering = Answering(
            describe,
            lambda: self.networks.text_scorer(gallery),
            self.networks.query_reader(),
            settings.min_similarity,
            settings.score_tie_eps,
        )
        # A search is many small matrix products, which are several times slower on several BLAS threads.
        with self._searching.hold(client), one_blas_thread():
            hits = answer(request, images, part, answering, top)
        if note_finds and hits and (self.settings.build.text or gallery.manifest.wave):
            self.recent_finds.note(gallery, hits)
        return hits

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

    def _open(self, pointer: str) -> _Served:
        generation, warning = served_generation(self.settings.index_dir)
        if self._served is not None and self._served.gallery.folder == generation.folder:
            return _Served(self._served.gallery, pointer, warning)
        publisher, search = self._publisher(), self.settings.search
        collection = publisher.collection(generation) if publisher else None
        return _Served(make_gallery(generation, search.store, search.fetch_k, collection), pointer, warning)

    def _publisher(self) -> "Publisher | None":
        return self._publishers.get("", lambda: publisher_for(self.settings))

    def _current(self) -> str:
        try:
            return (self.settings.index_dir / "CURRENT").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
