"""Networks are loaded once, and only threads that need one wait for it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from boxfind import loaded_networks as module
from boxfind.loaded_networks import LoadedNetworks
from boxfind.settings import Settings

SOON = 10


def test_other_threads_continue_while_a_network_loads(tiny_embedder, monkeypatch):
    loading, over, loaded = threading.Event(), threading.Event(), []
    recipe = tiny_embedder.recipe
    another = replace(recipe, side=recipe.side + 32)

    def load(recipe, settings):
        loaded.append(recipe)
        if recipe == another:
            loading.set()
            assert over.wait(SOON)
        return tiny_embedder

    monkeypatch.setattr(module, "embedder_for_searching", load)
    networks = LoadedNetworks(Settings.load())
    networks.embedder(recipe)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(networks.embedder, another) for _ in range(2)]
        assert loading.wait(SOON)
        assert threads.submit(networks.embedder, recipe).result(SOON) is tiny_embedder
        assert not any(one.done() for one in waiting)
        over.set()
        assert [one.result(SOON) for one in waiting] == [tiny_embedder] * 2
    assert loaded == [recipe, another]


def test_text_off_leaves_out_the_reader():
    assert LoadedNetworks(Settings.load(text=False)).query_reader() is None
    assert LoadedNetworks(Settings.load(text=True)).query_reader() is not None
