"""Tell pictures from other files by suffix and first bytes; nothing is decoded."""

import mimetypes

from retrieval.images.limits import FORMATS, SUFFIXES, TIFF_STARTS

START = 64
"""Number of first bytes that decide."""
UNREAD = "format"
"""Reason code of a picture in a format that Boxfind cannot read."""
RAW = "RAW"
RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mef"),
    *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
UNREAD_SUFFIXES = {
    **dict.fromkeys((".heic", ".heics", ".hif"), "HEIC"),
    **dict.fromkeys((".heif", ".heifs"), "HEIF"),
    **dict.fromkeys(RAW_SUFFIXES, RAW),
    **dict.fromkeys((".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpm", ".jph", ".jhc"), "JPEG 2000"),
    ".jxl": "JPEG XL",
    **dict.fromkeys((".jxr", ".hdp", ".wdp"), "JPEG XR"),
    **dict.fromkeys((".psd", ".psb"), "Photoshop"),
    **dict.fromkeys((".svg", ".svgz"), "SVG"),
    ".eps": "EPS",
    ".exr": "OpenEXR",
    ".hdr": "Radiance HDR",
    ".ico": "ICO",
    **dict.fromkeys((".pbm", ".pgm", ".pnm", ".ppm", ".pam"), "PNM"),
    ".tga": "TGA",
    ".xcf": "GIMP",
}
"""Suffixes of pictures that Boxfind cannot read yet -> name of the format."""
SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0\x10\0\0\0CR", RAW),  # Canon CR2, a TIFF whose first picture is a preview
    *((start, "TIFF") for start in TIFF_STARTS),
    *((start, RAW) for start in (b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")),
    (b"II\x1a\0\0\0HEAPCCDR", RAW),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"II\xbc", "JPEG XR"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"v/1\x01", "OpenEXR"),
)
BRANDS = (
    ("AVIF", {b"avif", b"avis"}),
    ("HEIC", {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}),
    (RAW, {b"crx "}),  # Canon CR3
    ("HEIF", {b"mif1", b"msf1"}),
)
"""Formats in an ISO base media file by its brands; the first match counts."""
NO_PICTURES = (
    # sidecars, catalogues and caches of picture programs
    ".aae .arp .cop .cos .dop .itl .jpgs .lrcat .lrprev .lrtemplate .nksc .on1 .pp3 .thm .xmp "
    # documents, fonts and tables
    ".asc .chm .conf .djvu .docx .dotx .epub .gpx .ics .ini .kml .key .lnk .log .md .mobi .msg .nfo .numbers .odp .ods "
    ".odt .otf .pages .parquet .pptx .rst .rtf .srt .toml .ttf .url .webloc .woff .woff2 .xlsx .yaml .yml "
    # sound and films
    ".amr .ape .flac .flv .insv .lrv .m2ts .m4a .m4b .m4p .m4v .mid .midi .mka .mkv .mts .oga .ogg .ogv .rm .vob .wma "
    ".wmv "
    # archives, programs and their data
    ".7z .apk .bz2 .cab .class .cpp .db .deb .dmg .dylib .gz .img .iso .jar .java .lock .mdb .msi .npy .npz .onnx .php "
    ".pickle .pkl .ps1 .pt .pth .rar .rb .rpm .rs .safetensors .sql .sqlite .sqlite3 .tgz .ts .xz .zst "
    # copies, and downloads that are not complete
    ".bak .crdownload .download .filepart .old .orig .part .partial .swp .temp .tmp "
    # checksums
    ".md5 .par2 .sfv .sha1 .sha256 .sig"
)
OTHER_SUFFIXES = frozenset(NO_PICTURES.split()) | {
    suffix for suffix, kind in mimetypes.MimeTypes(()).types_map[True].items() if not kind.startswith("image/")
}
"""Suffixes of files that are no pictures, or copies of one; these files are never opened."""
COPIES = ("~", "_original")
"""Endings of backup copies that editors and ExifTool leave."""


def suffix_of(name: str) -> str:
    """ "Beach.JPG" -> ".jpg"; "" if there is none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def is_worth_opening(name: str) -> bool:
    """Whether the first bytes may show a picture though the suffix is not that of a readable one."""
    suffix = suffix_of(name)
    if suffix in SUFFIXES or name.endswith(COPIES):
        return False
    return suffix in UNREAD_SUFFIXES or suffix not in OTHER_SUFFIXES


def picture_format(name: str, start: bytes) -> str:
    """The format of a picture, one of FORMATS if it can be read; "" if the file is no picture.

    The content decides, then the suffix. A raw file is a TIFF that holds a small preview, so there the suffix decides.
    """
    by_suffix, by_content = UNREAD_SUFFIXES.get(suffix_of(name), ""), content_format(start)
    return by_suffix if by_suffix == RAW and by_content == "TIFF" else by_content or by_suffix


def content_format(start: bytes) -> str:
    """The picture format that the first bytes show; "" if there is none. Formats that can be read are in FORMATS."""
    if start[4:8] == b"ftyp":
        brands = {start[place : place + 4] for place in range(8, min(len(start), int.from_bytes(start[:4])), 4)}
        return next((name for name, known in BRANDS if brands & known), "")
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if start[:2] == b"BM" and start[6:10] == bytes(4):
        return "BMP"
    return next((name for signature, name in SIGNATURES if start.startswith(signature)), "")


def is_unread(picture_format: str) -> bool:
    """Whether this is the name of a picture format that Boxfind cannot read."""
    return bool(picture_format) and picture_format not in FORMATS


def unread_sentence(name: str, picture_format: str) -> str:
    """The message about a picture in a format that Boxfind cannot read."""
    return f"{name} is a picture in {picture_format} format, which Boxfind cannot read yet; convert it to JPEG."
