"""Executors that describe images during a build: threads on this machine, or a Ray cluster."""

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
    from index.cluster.ray_executor import RayExecutor  # they need the optional ray package

    without_secrets = settings.changed(api_token="", milvus_token="")  # workers do not need them
    make = partial(embedder_in_a_cluster, embedder.recipe, without_secrets)
    gpus = settings.runtime in ("auto", "torch-cuda") and embedder.recipe.precision in ("float16", "float32")
    with joined(settings.build.ray_address, settings.build.workers):
        yield RayExecutor(embedder, make, settings.build.workers, gpus)


EXECUTORS: dict[str, Callable[[Settings, Embedder], AbstractContextManager[Executor]]] = {
    "local": start_here,
    "ray": start_ray,
}
"""Context managers by engine name; each provides an executor for the duration of its `with` block."""
