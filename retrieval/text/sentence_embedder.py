"""Embed sentences so that similar meanings have similar vectors.

The model is small enough for NumPy: a sentence takes milliseconds, whereas importing torch and transformers would make
the first one wait for seconds.
"""

import importlib.util
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from retrieval.optional_packages import MINILM, SAFETENSORS, TOKENIZERS
from retrieval.text.bert import Bert
from retrieval.types import Vectors, unit

DIMENSIONS = 384
MAX_TOKENS = 256
"""Sequence length the model was tuned with; longer text is truncated."""
BATCH = 64

_loading = threading.Lock()


def embed_sentences(sentences: Sequence[str]) -> Vectors:
    """N sentences -> (N, 384), unit length, by all-MiniLM-L6-v2 (Wang et al., NeurIPS 2020; tuned on sentence pairs).

    Thread-safe. Raises RuntimeMissing when a package is not installed.
    """
    with _loading:
        tokens_of, bert = _load_model()
    vectors = np.zeros((len(sentences), DIMENSIONS), np.float32)
    tokens = tokens_of(sentences)
    same_length = defaultdict(list)  # sentences of one length need no padding
    for number, of_sentence in enumerate(tokens):
        same_length[len(of_sentence)].append(number)
    for numbers in same_length.values():
        for start in range(0, len(numbers), BATCH):
            part = numbers[start : start + BATCH]
            vectors[part] = bert.hidden(np.array([tokens[number] for number in part])).mean(axis=1)
    return unit(vectors)


def check_sentence_model() -> None:
    """Raises RuntimeMissing when a package is not installed."""
    for package in (MINILM, SAFETENSORS, TOKENIZERS):
        package.check("Text search")


@cache
def _load_model() -> tuple[Callable[[Sequence[str]], list[list[int]]], Bert]:
    """Load the tokenizer, sentences -> token numbers, and the network. All files come with the package."""
    check_sentence_model()
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    spec = importlib.util.find_spec(MINILM.module)
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / "model"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    bert = Bert(weights, sizes["num_hidden_layers"], sizes["num_attention_heads"])
    return lambda sentences: [found.ids for found in tokenizer.encode_batch(list(sentences))], bert
