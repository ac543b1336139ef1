"""Networks worth choosing, by task, with licence, size and a published figure."""

from dataclasses import dataclass

from retrieval.errors import RuntimeMissing
from retrieval.networks.backbones import BUNDLED, has_files

ILIAS = "ILIAS, mAP@1k with 5 million distractors (arXiv:2502.11748, ilias-1k.netlify.app)"
"""Objects drawn from pictures of all kinds: the published test that is nearest to Boxfind's task."""
OXFORD = "Revisited Oxford, hard, mAP without training (DINOv2, arXiv:2304.07193)"
DINOV3_LICENCE = "DINOv3 licence"
APPLE_LICENCE = "apple-amlr (research only)"


@dataclass(frozen=True, slots=True)
class Recommended:
    """A network and what it is good for. Figures were measured by others, with whole pictures and without Boxfind."""

    name: str
    purpose: str
    machine: str
    licence: str
    """Of the weights, as their publisher names it."""
    parameters: int
    """In millions, rounded. A file of float32 numbers has four bytes for each."""
    figure: float | None = None
    source: str = ""
    """What the figure is and who published it."""

    @property
    def megabytes(self) -> int:
        return 4 * self.parameters


SAME_OBJECT = "find the very object"
SENTENCES = "find the object, and search by sentences"
RECOMMENDED = (
    Recommended(BUNDLED, SAME_OBJECT, "any", "Apache-2.0", 5),
    Recommended("resnet50", SAME_OBJECT, "any", "BSD-3-Clause", 26, 2.5, ILIAS),
    Recommended("timm:vit_small_patch14_dinov2.lvd142m", SAME_OBJECT, "any", "Apache-2.0", 22, 43.2, OXFORD),
    Recommended("timm:vit_small_patch16_dinov3.lvd1689m", SAME_OBJECT, "any", DINOV3_LICENCE, 22),
    Recommended("timm:vit_base_patch16_dinov3.lvd1689m", SAME_OBJECT, "graphics card", DINOV3_LICENCE, 86, 26.4, ILIAS),
    Recommended(
        "timm:vit_large_patch16_dinov3.lvd1689m", SAME_OBJECT, "graphics card", DINOV3_LICENCE, 303, 31.1, ILIAS
    ),
    Recommended("timm:convnext_tiny.dinov3_lvd1689m", SAME_OBJECT, "any", DINOV3_LICENCE, 28),
    Recommended("timm:resnet50.a1_in1k", "descriptions by class names", "any", "Apache-2.0", 26),
    Recommended("open_clip:MobileCLIP2-S2/dfndr2b", SENTENCES, "any", APPLE_LICENCE, 99),
    Recommended("open_clip:ViT-B-16-SigLIP2/webli", SENTENCES, "graphics card", "Apache-2.0", 375),
    Recommended("open_clip:ViT-L-16-SigLIP2-512/webli", SENTENCES, "graphics card", "Apache-2.0", 882, 25.3, ILIAS),
    Recommended("open_clip:PE-Core-B-16/meta", SENTENCES, "graphics card", "Apache-2.0", 448),
    Recommended("open_clip:PE-Core-L-14-336/meta", SENTENCES, "graphics card", "Apache-2.0", 671, 27.1, ILIAS),
)


def described_choices() -> list[str]:
    """The recommended networks as lines for a terminal, by purpose, with what is on this machine."""
    lines: list[str] = []
    for purpose in dict.fromkeys(network.purpose for network in RECOMMENDED):
        lines.append(f"To {purpose}:" if purpose != "descriptions by class names" else "For descriptions:")
        lines += [f"  {_line(network)}" for network in RECOMMENDED if network.purpose == purpose]
    figures = dict.fromkeys(network.source for network in RECOMMENDED if network.source)
    lines += [f"({letter}) {source}" for letter, source in zip("ab", figures, strict=True)]
    lines += [
        f"{DINOV3_LICENCE}: Meta's own terms, which allow commercial use; read them before you use it.",
        "Any other network of timm or open_clip: timm:MODEL, open_clip:MODEL/PRETRAINED (docs/models.md).",
    ]
    return lines


def _line(network: Recommended) -> str:
    try:
        here = "on this machine" if has_files(network.name) else "not downloaded"
    except RuntimeMissing:
        here = "its library is not installed"
    sources = list(dict.fromkeys(one.source for one in RECOMMENDED if one.source))
    figure = f"; {network.figure} ({'ab'[sources.index(network.source)]})" if network.figure else ""
    return f"{network.name}: {network.megabytes:,} MB, {network.machine}, {network.licence}{figure}; {here}"
