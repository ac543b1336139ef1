"""Sentences with similar meanings get similar vectors, without network access."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from retrieval.errors import RuntimeMissing
from retrieval.optional_packages import OptionalPackage
from retrieval.text import sentence_embedder as module
from retrieval.text.sentence_embedder import BATCH, DIMENSIONS, embed_sentences


@pytest.fixture
def not_loaded() -> Iterator[None]:
    module._load_model.cache_clear()
    yield
    module._load_model.cache_clear()


def test_model_needs_no_network(not_loaded, monkeypatch):
    def no_network(*_: object) -> None:
        raise AssertionError("the network was tried")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    assert embed_sentences(["a clock tower"]).shape == (1, DIMENSIONS)


def test_similar_meanings_have_similar_vectors():
    bear, giant, car, automobile = embed_sentences(["a panda", "the giant panda bear", "a car", "an automobile"])
    assert bear @ giant > 0.7 and car @ automobile > 0.7
    assert max(one @ other for one in (bear, giant) for other in (car, automobile)) < 0.4


def test_vector_does_not_depend_on_the_batch():
    mixed = ["a cup", "a statue of a woman who holds a torch over the sea", "tea"] * (BATCH // 2)  # more than one batch
    vectors = embed_sentences(mixed)
    assert vectors.dtype == np.float32 and np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    for sentence, vector in list(zip(mixed, vectors, strict=True))[-3:]:
        assert embed_sentences([sentence])[0] == pytest.approx(vector, abs=1e-4)


def test_empty_list_empty_sentence_and_long_sentence():
    assert embed_sentences([]).shape == (0, DIMENSIONS)
    assert np.isfinite(embed_sentences(["word " * 5000, ""])).all()


def test_concurrent_calls_give_the_same_vectors(not_loaded):
    asked = [[f"{count} cups"] * (1 + count % 3) for count in range(12)]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(embed_sentences, asked))
    for sentences, vectors in zip(asked, together, strict=True):
        assert vectors == pytest.approx(embed_sentences(sentences), abs=1e-5)


@pytest.mark.parametrize("missing", ["MINILM", "TOKENIZERS", "SAFETENSORS"])
def test_missing_package_message_says_what_to_install(not_loaded, monkeypatch, missing):
    monkeypatch.setattr(module, missing, OptionalPackage("some-package", "no_such_module", ""))
    with pytest.raises(RuntimeMissing, match=r"Text search needs the package some-package.*pip install -e \.`"):
        embed_sentences(["a panda"])


def test_a_sentence_needs_neither_torch_nor_transformers():
    """Importing them takes seconds."""
    code = (
        "import sys; from retrieval.text.sentence_embedder import embed_sentences; embed_sentences(['a cup']);"
        "print({'torch', 'torchvision', 'transformers'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
