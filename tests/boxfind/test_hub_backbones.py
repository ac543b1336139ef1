"""Networks of timm and open_clip from the first build to results on the page, with random weights."""

import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from boxfind import embedders, loaded_networks
from boxfind.embedders import text_problem
from boxfind.engine import Engine
from boxfind.engines import Engines
from boxfind.expected_recipe import expected_recipe
from boxfind.settings import Settings
from boxfind.visitor_pictures import VisitorPictures
from index.storage.generation import current_folder
from index.storage.manifest import read_manifest
from retrieval.descriptors.compatibility import recipe_problem
from retrieval.errors import WeightsMissing
from retrieval.images.decode import load_image
from retrieval.networks.backbones import find_backbone
from retrieval.optional_packages import OPEN_CLIP, TIMM
from retrieval.types import Box, quiet
from tests.boxfind.ui.reading import alts, calm, choose
from tests.hub import COMMIT
from tests.random_networks import PATCH14, TAG, keep_clip, keep_timm, register_patch14
from tests.tiny import draw_picture

pytestmark = [
    pytest.mark.skipif(not (TIMM.installed and OPEN_CLIP.installed), reason='pip install -e ".[timm,clip]"'),
    pytest.mark.usefixtures("shared_pool"),
]
CNN, TRANSFORMER, CLIP = "timm:resnet50.a1_in1k", f"timm:{PATCH14}", f"open_clip:small-vit/{TAG}"
WIDTH, HEIGHT = 320, 240


@dataclass(frozen=True)
class Built:
    name: str
    settings: Settings


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("hub")
    register_patch14()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
        for name in (CNN, TRANSFORMER):
            keep_timm(folder, name.removeprefix("timm:"))
        keep_clip(folder, folder / "configs", "small-vit", patch)
        yield folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(6):
        Pillow.fromarray(draw_picture(number, WIDTH, HEIGHT)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module", params=[CNN, TRANSFORMER, CLIP])
def built(request: pytest.FixtureRequest, hub: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A read-only index built with the network."""
    folder = tmp_path_factory.mktemp("built")
    settings = Settings.load(
        gallery=pictures, index=folder / "index", backbone=request.param, side=160, workers=1, offline=True
    )
    Engine(settings).builds.build(quiet)
    return Built(request.param, settings)


def test_the_recipe_names_library_model_revision_and_weights(built):
    recipe = read_manifest(current_folder(built.settings.index_dir)).recipe
    backbone = find_backbone(built.name)
    assert (recipe.backbone, recipe.revision) == (built.name, COMMIT) and len(recipe.weights_sha256) == 64
    assert (recipe.weights_sha256, recipe.stride) == (backbone.weights.sha256, backbone.stride)
    assert recipe.pooling == ("gem" if built.name == CNN else "gap")
    assert recipe_problem(recipe) == "" and expected_recipe(recipe, built.settings) == recipe


def test_every_picture_finds_itself(built, pictures: Path):
    engine = Engine(built.settings)
    for name in ("1.png", "4.png"):
        picture = load_image(pictures / name)
        for ranking in ("fast", "best"):
            hits = engine.search(engine.gallery(), picture, Box.whole(picture), 0, ranking)
            assert hits[0].image == name and hits[0].similarity == pytest.approx(1, abs=1e-3)
        assert engine.search(engine.gallery(), picture, Box(40, 40, 200, 200), 0, "fast")


def test_an_update_of_the_same_folder_reads_nothing_again(built):
    before = current_folder(built.settings.index_dir)
    assert Engine(built.settings).builds.build(quiet) == before


def test_an_update_reads_a_new_picture_only(built, pictures: Path, tmp_path: Path):
    shutil.copytree(pictures, tmp_path / "pictures")
    shutil.copytree(built.settings.index_dir, tmp_path / "index")
    Pillow.fromarray(draw_picture(9, WIDTH, HEIGHT)).save(tmp_path / "pictures" / "9.png")
    settings = built.settings.changed(gallery=tmp_path / "pictures", index=tmp_path / "index")
    changes = read_manifest(Engine(settings).builds.build(quiet)).changes
    assert (changes.added, changes.kept, changes.reread) == (1, 6, 0)


def test_description_search_is_there_or_says_why_not(built):
    recipe = read_manifest(current_folder(built.settings.index_dir)).recipe
    gallery = Engine(built.settings).gallery()
    problem = text_problem(recipe, bool(gallery.class_scores.classes.shape[1]))
    if built.name == TRANSFORMER:
        assert f"An index built with {built.name} cannot be searched by text" in problem
    else:
        assert problem == ""


def test_without_the_weights_the_search_names_them(built, monkeypatch, tmp_path: Path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    # tests of pages keep loaded networks as long as the worker lives
    monkeypatch.setattr(loaded_networks, "embedder_for_searching", embedders.embedder_for_searching)
    engine, picture = Engine(built.settings), draw_picture(1)
    with pytest.raises(WeightsMissing, match=r"on the Hugging Face hub are not on this machine"):
        engine.search(engine.gallery(), picture, Box.whole(picture))


def test_the_api_searches_it(built, pictures: Path, pool, monkeypatch, tmp_path: Path):
    pytest.importorskip("fastapi", reason='fastapi is not installed: pip install -e ".[api]"')
    from fastapi.testclient import TestClient

    from boxfind.api.app import make_api

    monkeypatch.setattr(VisitorPictures, "_decoders", lambda _: pool)
    api = make_api(Engines(built.settings.changed(api_searches=1)))
    with TestClient(api, base_url="http://127.0.0.1") as client:
        api.state.dependencies.load_finished.wait()
        data = (pictures / "3.png").read_bytes()
        answer = client.post("/v1/search", files={"picture": ("3.png", data)}, data={"top": 3}).json()
        assert answer["hits"][0]["image"] == "3.png"
        assert client.get("/v1/index").json()["served"]["recipe"]["backbone"] == built.name


def test_the_page_searches_it(built, pictures: Path, pool, monkeypatch):
    monkeypatch.setattr(VisitorPictures, "_decoders", lambda _: pool)
    monkeypatch.setattr("index.operations.read_original._pool", lambda: pool)
    monkeypatch.setattr("boxfind.ui.memory_release.release_memory_regularly", lambda: None)
    monkeypatch.setattr("streamlit.runtime.scriptrunner.script_runner._mpa_v1", runpy.run_path)
    for name, value in (("GALLERY", pictures), ("INDEX", built.settings.index), ("BACKBONE", built.name)):
        monkeypatch.setenv(f"BOXFIND_{name}", str(value))
    monkeypatch.setenv("BOXFIND_SIDE", "160")
    st.cache_resource.clear()
    app = AppTest.from_file(str(Path(__file__).parents[2] / "app.py"), default_timeout=100)
    choose(app, pictures / "2.png", Box(10, 20, 210, 170))
    app.run()
    assert calm(app) and alts(app)
    st.cache_resource.clear()


def test_a_recipe_with_a_short_name_is_that_of_the_full_name(built):
    recipe = read_manifest(current_folder(built.settings.index_dir)).recipe
    old = replace(recipe, backbone="resnet50", weights_sha256=find_backbone("resnet50").weights.sha256)
    old = replace(old, preprocessing=2, stride=32)
    assert old.backbone == "torchvision:resnet50" and recipe_problem(old) == ""
    assert find_backbone("resnet50") is find_backbone("torchvision:resnet50")


def test_the_command_line_builds_and_searches(pictures: Path, tmp_path: Path, monkeypatch):
    keep_timm(tmp_path / "hub", "test_vit.r160_in1k")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("BOXFIND_SIDE", "160")
    cli = [sys.executable, str(Path(__file__).parents[2] / "cli.py")]
    where = ["--gallery", str(pictures), "--index", str(tmp_path / "index")]

    def run(*words: str) -> str:
        done = subprocess.run([*cli, *words], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "with timm:test_vit.r160_in1k," in run("build", *where, "--backbone", "timm:test_vit")
    assert "2.png" in run("search", "--image", str(pictures / "2.png"), "--box", "0,0,320,240", *where[2:])
