"""Names of backbones, `LIBRARY:MODEL`, and the shorter names that some of them have."""

ALIASES = {
    "resnet18": "torchvision:resnet18",
    "resnet50": "torchvision:resnet50",
    "vgg16": "torchvision:vgg16",
    "efficientnet-b0": "torchvision:efficientnet_b0",
    "efficientnet-b1": "torchvision:efficientnet_b1",
    "efficientnet-b2": "torchvision:efficientnet_b2",
    "fasterrcnn-resnet50": "torchvision:fasterrcnn_resnet50_fpn",
    "clip-rn50": "open_clip:RN50/openai",
}
"""Short name -> full name. Recipes of earlier versions hold the short names."""
_SHORT = {full: short for short, full in ALIASES.items()}


def full_name(name: str) -> str:
    """The full name of a backbone that is named by a short one; other names are returned unchanged."""
    return ALIASES.get(name, name)


def short_name(name: str) -> str:
    """The short name of a backbone if it has one, else its full name."""
    return _SHORT.get(name, name)


def file_stem(name: str) -> str:
    """A backbone's name as part of a file name: the short name if it has one, as in earlier versions."""
    return short_name(name).translate(str.maketrans(":/", "--"))
