"""The forward pass of a BERT encoder (Devlin et al., NAACL 2019) in NumPy."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float32]
TokenIds = NDArray[np.int64]

EPSILON = 1e-12
"""Added to the variance by layer normalisation."""


@dataclass(frozen=True, slots=True)
class Bert:
    """Weights by name, as in a checkpoint of Hugging Face's BertModel, and the number of layers and attention heads."""

    weights: Mapping[str, Floats]
    layers: int
    heads: int

    def hidden(self, tokens: TokenIds) -> Floats:
        """The last hidden states of B sentences of T tokens each, without padding. (B, T) -> (B, T, D)."""
        words = self.weights["embeddings.word_embeddings.weight"][tokens]
        places = self.weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        states = self._normalised(words + places + kind, "embeddings.LayerNorm")
        for number in range(self.layers):
            layer = f"encoder.layer.{number}"
            mixed = self._attention(states, f"{layer}.attention.self")
            attended = self._dense(mixed, f"{layer}.attention.output.dense")
            states = self._normalised(states + attended, f"{layer}.attention.output.LayerNorm")
            wide = _gelu(self._dense(states, f"{layer}.intermediate.dense"))
            states = self._normalised(states + self._dense(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return states

    def _attention(self, states: Floats, name: str) -> Floats:
        """Multi-head self-attention. (B, T, D) -> (B, T, D)."""
        count, length, width = states.shape

        def by_head(part: str) -> Floats:
            return self._dense(states, f"{name}.{part}").reshape(count, length, self.heads, -1).swapaxes(1, 2)

        query, key, value = by_head("query"), by_head("key"), by_head("value")  # (B, heads, T, D / heads)
        scores = query @ key.swapaxes(2, 3) / np.float32(np.sqrt(width / self.heads))
        shares = np.exp(scores - scores.max(axis=3, keepdims=True))
        shares /= shares.sum(axis=3, keepdims=True)
        return np.asarray((shares @ value).swapaxes(1, 2).reshape(states.shape))

    def _dense(self, states: Floats, name: str) -> Floats:
        flat = states.reshape(-1, states.shape[-1])  # one large product is ten times as fast as many small ones
        found = flat @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return np.asarray(found.reshape(*states.shape[:-1], -1))

    def _normalised(self, states: Floats, name: str) -> Floats:
        centred = states - states.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        return np.asarray(centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])


def _gelu(states: Floats) -> Floats:
    return np.asarray(states * (1 + erf(states * np.float32(np.sqrt(0.5)))) * np.float32(0.5))
