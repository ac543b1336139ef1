"""The command `finetune`: train a projection head on labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from boxfind.commands.options import note, notes, settings_with, utf8_option
from boxfind.progress_bar import TerminalProgress


def finetune(
    labels: Annotated[Path, typer.Option(help="CSV image,label[,x,y,w,h] that says which object each picture shows.")],
    gallery: Annotated[Path, typer.Option(help="Picture folder; image paths in the CSV are relative to it.")],
    out: Annotated[
        Path,
        typer.Option(help="Safetensors file to write the head to, for `boxfind build --head`.", callback=utf8_option),
    ],
    backbone: Annotated[str | None, typer.Option(help="Network: auto or a name from docs/models.md.")] = None,
) -> None:
    """Train a projection head on labelled pictures and evaluate it on held-out objects; the network is frozen."""
    from boxfind.embedders import embedder_for_building
    from boxfind.finetuning.finetune import finetune as train
    from index.building.decoder_pool import DecoderPool

    settings = settings_with(gallery=gallery, backbone=backbone)
    with TerminalProgress(notes) as progress:
        embedder, remark = embedder_for_building(settings, progress)
        with DecoderPool(settings.build.workers) as pool:
            report = train(labels, settings.gallery_dir, out, embedder, pool, settings.build.workers, progress)
    if remark:
        note(remark)
    print(report)
