"""Who may import whom, and where the heavy libraries live: read off the files, nothing is imported."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "settings": set(),
    "retrieval": set(),
    "index": {"retrieval"},
    "samples": {"retrieval"},
    "searches": {"retrieval", "index"},
    "export": {"retrieval", "index"},
    "embedders": {"retrieval", "index", "settings"},
    "stores": {"retrieval", "index", "settings"},
    "build_engines": {"embedders", "retrieval", "index", "settings"},
    "engine": {"build_engines", "embedders", "stores", "retrieval", "index", "samples", "settings"},
    "evaluation": {"engine", "retrieval", "index", "searches"},
    "finetuning": {"evaluation", "retrieval", "index"},
    "doctor": {"retrieval", "index", "settings"},
    "ui": {"engine", "retrieval", "index", "searches", "export", "evaluation", "settings", "log"},
    "pages": {"ui", "engine", "retrieval", "index", "searches", "export", "evaluation", "settings"},
    "terminal": set(),
    "log": set(),
    "api": {"engine", "retrieval", "index", "searches", "settings", "log"},
    "asgi": {"api", "ui"},
    "commands": {
        "engine",
        "retrieval",
        "index",
        "evaluation",
        "embedders",
        "export",
        "finetuning",
        "doctor",
        "settings",
        "stores",
        "terminal",
        "api",
    },
    "cli": {"commands", "retrieval"},
    "app": {"ui"},
    "deploy": set(),
}
HOMES = {
    "faiss": {
        "index/stores/flat_store.py",
        "index/stores/float16_store.py",
        "index/stores/ivf.py",
        "index/stores/ivf_store.py",
    },
    "openvino": {"retrieval/networks/openvino_runtime.py"},
    "cv2": {
        "retrieval/images/decode.py",
        "retrieval/ranking/keypoints.py",
        "retrieval/ranking/verification.py",
        "retrieval/regions/proposals.py",
        "retrieval/regions/grabcut.py",
    },
    "streamlit": {"app.py", "boxfind/asgi.py", "pages", "ui"},
    "fastapi": {"api"},
    "starlette": {"api", "boxfind/asgi.py"},
    "uvicorn": {"boxfind/api/server.py"},
    "streamlit_drawable_canvas": {"boxfind/ui/search/box_picker.py"},
    "torch": {"retrieval", "boxfind/finetuning/training.py", "boxfind/doctor.py"},
    "pytorch_metric_learning": {"boxfind/finetuning/training.py"},
    "safetensors": {"retrieval/descriptors/projection_head.py"},
    "torchvision": {"retrieval"},
    "pyarrow": {"index"},
    "pymilvus": {"index/milvus/client.py", "index/milvus/collection.py", "index/milvus/publish.py"},
    "grpc": {"index/milvus/client.py"},
    "typer": {"cli.py", "commands"},
    "rich": {"boxfind/commands/options.py", "boxfind/terminal.py"},
    "requests": {"retrieval/networks/weights.py"},
    "altair": {"ui"},
    "open_clip": {"retrieval/networks/clip.py"},
    "transformers": {
        "retrieval/regions/sam.py",
        "retrieval/regions/sam_checkpoint.py",
        "retrieval/text/sentence_embedder.py",
    },
    "ray": {"index/cluster/ray_executor.py", "index/cluster/ray_cluster.py"},
    "yaml": {"deploy/files.py"},
    "skimage": {"retrieval/text/colour_names.py", "samples"},
}
FILES = sorted(
    path.relative_to(ROOT)
    for name in MAY_IMPORT
    for path in ([ROOT / f"{name}.py"] if (ROOT / f"{name}.py").exists() else (ROOT / name).rglob("*.py"))
)


def imports(path: Path) -> set[str]:
    """The dotted names a file imports, wherever in it; one only seen by type checkers counts too."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path} imports by a relative name"
            names.add(node.module)
    return names


def part(path: Path) -> str:
    return path.parts[0].removesuffix(".py")


def test_there_is_something_to_check():
    assert {part(path) for path in FILES} >= {
        "settings",
        "retrieval",
        "index",
        "engine",
        "evaluation",
        "commands",
        "cli",
    }


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_arrows(path):
    ours = {name.partition(".")[0] for name in imports(path)} & MAY_IMPORT.keys()
    assert ours - {part(path)} <= MAY_IMPORT[part(path)]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_heavy_libraries_have_one_home(path):
    for library in {name.partition(".")[0] for name in imports(path)} & HOMES.keys():
        assert any(path.is_relative_to(home) for home in HOMES[library]), f"{library} in {path}"


@pytest.mark.parametrize("path", [Path("retrieval/types.py"), Path("retrieval/errors.py")], ids=str)
def test_the_words_need_nothing_of_ours(path):
    assert not {name.partition(".")[0] for name in imports(path)} & MAY_IMPORT.keys()


def test_tests_are_no_packages():
    assert not list((ROOT / "tests").rglob("__init__.py"))
