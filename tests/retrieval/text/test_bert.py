"""The NumPy forward pass equals the one of transformers."""

import numpy as np
import pytest

from retrieval.networks.torchvision_compat import torchvision_state
from retrieval.text.sentence_embedder import _load_model

SENTENCES = ["a cup of coffee", "the statue of a woman who holds a torch over the sea", "panda", "word " * 300]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_hidden_states_equal_those_of_transformers(sentence: str) -> None:
    torchvision_state()  # transformers imports torchvision, which may need repair first
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    tokens_of, bert = _load_model()
    tokens = np.array(tokens_of([sentence]))
    state = {name: torch.from_numpy(value) for name, value in bert.weights.items() if name.startswith(("emb", "enc"))}
    theirs = transformers.BertModel(
        transformers.BertConfig(
            hidden_size=384, num_hidden_layers=bert.layers, num_attention_heads=bert.heads, intermediate_size=1536
        ),
        add_pooling_layer=False,
    )
    theirs.load_state_dict(state, strict=False)
    with torch.inference_mode():
        expected = theirs.eval()(torch.from_numpy(tokens)).last_hidden_state.numpy()
    assert bert.hidden(tokens) == pytest.approx(expected, abs=1e-4)


def test_sentences_of_a_batch_do_not_affect_one_another() -> None:
    tokens_of, bert = _load_model()
    tokens = np.array(tokens_of(["a red cup", "a blue car"]))
    assert bert.hidden(tokens)[1] == pytest.approx(bert.hidden(tokens[1:])[0], abs=1e-5)
