"""finetune: trains a head from labelled pictures, or explains why it cannot."""

import numpy as np
import pytest
from PIL import Image as Pillow

from boxfind.finetuning import training
from retrieval.descriptors.projection_head import read_head
from tests.tiny import CHANNELS, draw_picture, use_tiny_network

OBJECTS = 8


@pytest.fixture
def gallery(tmp_path):
    """Two pictures of each of eight objects, and one unlabelled picture."""
    (tmp_path / "gallery").mkdir()
    for number in range(2 * OBJECTS):
        pixels = draw_picture(100 + number).copy()
        pixels[16:80, 16:80] = draw_picture(number // 2)[16:80, 16:80]
        Pillow.fromarray(pixels).save(tmp_path / "gallery" / f"{number:02d}.png")
    Pillow.fromarray(draw_picture(99)).save(tmp_path / "gallery" / "other.png")
    return tmp_path / "gallery"


@pytest.fixture
def finetune(gallery, tmp_path, boxfind, monkeypatch):
    """Run the command on a table of these labels."""
    use_tiny_network(monkeypatch)
    monkeypatch.setattr(training, "STEPS", 2)

    def run(rows):
        (tmp_path / "labels.csv").write_text("\n".join(["image,label", *rows]) + "\n")
        where = ("--labels", tmp_path / "labels.csv", "--gallery", gallery, "--out", tmp_path / "head.safetensors")
        return boxfind("finetune", *where, "--backbone", "efficientnet-lite0")

    return run


ROWS = [f"{number:02d}.png,object {number // 2}" for number in range(2 * OBJECTS)]


def test_a_head_and_its_figures(finetune, tmp_path):
    result = finetune(ROWS)
    assert result.code == 0, result.err
    assert "6 labels" in result.out and "Used 17 pictures, 16 of them labelled" in result.out
    assert "Held out 2 labels: object " in result.out and " -> " in result.out and "P@10" in result.out
    head, facts = read_head(tmp_path / "head.safetensors")
    assert head.kind == "finetuned" and head.projection.shape[0] == CHANNELS and np.isfinite(head.projection).all()
    assert (facts.backbone, facts.pooling) == ("efficientnet-lite0", "gem")


def test_sentences(finetune, gallery, tmp_path):
    finetune(ROWS[:-2]).assert_failed("7 labels", "at least 8")
    finetune(ROWS[:-1]).assert_failed("one picture of object 7")
    finetune([*ROWS, "none.png,object 1"]).assert_failed("line 18", "none.png")
    (gallery / "broken.png").write_bytes(b"no picture")
    finetune([*ROWS, "broken.png,object 1"]).assert_failed("broken.png", "is not a readable picture")
    assert not (tmp_path / "head.safetensors").exists()
