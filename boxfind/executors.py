"""Where a build looks at pictures: on this machine, or on the many of a Ray cluster."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from pydantic import SecretStr

from boxfind.embedders import embedder_in_a_cluster
from boxfind.settings import Settings
from index.building.decoder_pool import DecoderPool
from index.building.describe_image import Executor
from index.building.thread_executor import ThreadExecutor
from retrieval.descriptors.embedder import Embedder


@contextmanager
def start_here(settings: Settings, embedder: Embedder) -> Iterator[Executor]:
    with DecoderPool(settings.workers) as pool:
        yield ThreadExecutor(embedder, pool, settings.workers)


@contextmanager
def start_ray(settings: Settings, embedder: Embedder) -> Iterator[Executor]:
    """Raises RuntimeMissing, ClusterProblem."""
    from index.cluster.ray_cluster import joined
    from index.cluster.ray_executor import RayExecutor  # only this road needs them

    secrets = {"api_token": SecretStr(""), "milvus_token": SecretStr("")}  # no other machine needs them
    make = partial(embedder_in_a_cluster, embedder.recipe, settings.model_copy(update=secrets))
    gpus = settings.runtime in ("auto", "torch-cuda") and embedder.recipe.precision in ("float16", "float32")
    with joined(settings.ray_address, settings.workers):
        yield RayExecutor(embedder, make, settings.workers, gpus)


EXECUTORS: dict[str, Callable[[Settings, Embedder], AbstractContextManager[Executor]]] = {
    "local": start_here,
    "ray": start_ray,
}
"""Each starts what looks at pictures by an embedder, for as long as the body of a `with` block lasts."""
