"""The recommended networks: the document lists the same, and every figure has a source."""

from pathlib import Path

import pytest

from retrieval.networks.backbones import check_name
from retrieval.networks.recommended_networks import ILIAS, OXFORD, RECOMMENDED, described_choices
from retrieval.optional_packages import OptionalPackage

MODELS = Path(__file__).parents[3] / "docs" / "models.md"


def test_the_document_has_the_same_list():
    _, _, rest = MODELS.read_text(encoding="utf-8").partition("## Which network?")
    rows = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    letters = {ILIAS: "a", OXFORD: "b"}
    assert cells == [
        [
            f"`{network.name}`",
            network.purpose,
            network.machine,
            network.licence,
            str(network.parameters),
            f"{network.figure} ({letters[network.source]})" if network.figure else "",
        ]
        for network in RECOMMENDED
    ]
    for source, letter in letters.items():
        assert f"- ({letter}) {source}" in " ".join(rest.split())


def test_every_figure_has_a_source_and_every_name_a_library():
    for network in RECOMMENDED:
        assert (network.figure is None) == (network.source == "") and network.licence
        check_name(network.name)
    assert len({network.name for network in RECOMMENDED}) == len(RECOMMENDED)


def test_the_list_says_what_is_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(OptionalPackage, "installed", False)  # without timm and open_clip, which take seconds to load
    lines = described_choices()
    of = {network.name: line for network in RECOMMENDED for line in lines if f" {network.name}:" in line}
    assert of.keys() == {network.name for network in RECOMMENDED}
    assert of["efficientnet-lite0"].endswith("on this machine")
    assert of["resnet50"].endswith("2.5 (a); not downloaded")
    assert of["timm:vit_base_patch16_dinov3.lvd1689m"].endswith("26.4 (a); its library is not installed")
    assert f"(a) {ILIAS}" in lines and f"(b) {OXFORD}" in lines
