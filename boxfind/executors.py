"""Where a build looks at pictures: on this machine, or on the many of a Ray cluster."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from pydantic import SecretStr

from boxfind.embedders import embedder_in_a_cluster
from boxfind.settings import Settings
from index.building.decoder_pool import PicturePool
from index.building.describe_image import Look
from index.building.thread_executor import OnThreads
from retrieval.descriptors.embedder import Embedder


@contextmanager
def start_here(settings: Settings, embedder: Embedder) -> Iterator[Look]:
    with PicturePool(settings.workers, keypoints=settings.keypoints) as pool:
        yield OnThreads(embedder, pool, settings.workers)


@contextmanager
def start_ray(settings: Settings, embedder: Embedder) -> Iterator[Look]:
    """Raises RuntimeMissing, ClusterProblem."""
    from index.cluster.ray_cluster import joined
    from index.cluster.ray_executor import OnRay  # only this road needs them

    secrets = {"api_token": SecretStr(""), "milvus_token": SecretStr("")}  # no other machine needs them
    make = partial(embedder_in_a_cluster, embedder.recipe, settings.model_copy(update=secrets))
    gpus = settings.runtime in ("auto", "torch-cuda") and embedder.recipe.precision in ("float16", "float32")
    with joined(settings.ray_address, settings.workers):
        yield OnRay(embedder, make, settings.workers, settings.keypoints, gpus)


ENGINES: dict[str, Callable[[Settings, Embedder], AbstractContextManager[Look]]] = {
    "local": start_here,
    "ray": start_ray,
}
"""Each starts what looks at pictures by an embedder, for as long as the body of a `with` block lasts."""
