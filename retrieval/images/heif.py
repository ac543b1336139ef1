"""Open HEIC and HEIF, the photos of phones: the primary image, upright, without depth and gain maps."""

from retrieval.images.file_kinds import HEIC, HEIF

HEIF_FORMATS = (HEIC, HEIF)


def prepare_heif() -> tuple[str, ...]:
    """Let Pillow open HEIF files; the names of its formats. The package is imported only when it is needed."""
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1  # several pictures are decoded at once
    pillow_heif.options.THUMBNAILS = False
    pillow_heif.register_heif_opener()
    return ("HEIF",)
