"""Where a build looks at pictures: on this machine, or on the many of a Ray cluster."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from boxfind.embedders import embedder_in_a_cluster
from boxfind.settings import Settings
from index.building.decoder_pool import DecoderPool
from index.building.describe_image import Executor
from index.building.thread_executor import ThreadExecutor
from retrieval.descriptors.embedder import Embedder


@contextmanager
def start_here(settings: Settings, embedder: Embedder) -> Iterator[Executor]:
    with DecoderPool(settings.build.workers) as pool:
        yield ThreadExecutor(embedder, pool, settings.build.workers)


@contextmanager
def start_ray(settings: Settings, embedder: Embedder) -> Iterator[Executor]:
    """Raises RuntimeMissing, ClusterProblem."""
    from index.cluster.ray_cluster import joined
    from index.cluster.ray_executor import RayExecutor  # only this road needs them

    without_secrets = settings.changed(api_token="", milvus_token="")  # no other machine needs them
    make = partial(embedder_in_a_cluster, embedder.recipe, without_secrets)
    gpus = settings.runtime in ("auto", "torch-cuda") and embedder.recipe.precision in ("float16", "float32")
    with joined(settings.build.ray_address, settings.build.workers):
        yield RayExecutor(embedder, make, settings.build.workers, gpus)


EXECUTORS: dict[str, Callable[[Settings, Embedder], AbstractContextManager[Executor]]] = {
    "local": start_here,
    "ray": start_ray,
}
"""Each starts what looks at pictures by an embedder, for as long as the body of a `with` block lasts."""
