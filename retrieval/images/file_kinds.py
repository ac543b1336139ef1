"""Tell pictures from other files by suffix and first bytes; nothing is decoded."""

import mimetypes

from retrieval.images.limits import FORMATS, RAW_SUFFIXES, SOURCE_SUFFIXES, TIFF_STARTS, VIDEO_SUFFIXES
from retrieval.optional_packages import PILLOW_HEIF, PILLOW_JXL, PYAV, PYPDFIUM2, RAWPY, OptionalPackage, install

START = 64
"""Number of first bytes that decide."""
UNREAD = "format"
"""Reason code of a picture in a format that Boxfind cannot read, at least not without another package."""
HEIC, HEIF, JPEG_2000, JPEG_XL, RAW = "HEIC", "HEIF", "JPEG 2000", "JPEG XL", "RAW"
PDF, ZIP, VIDEO = "PDF", "ZIP", "video"
PICTURE_FORMATS = (*FORMATS, HEIC, HEIF, JPEG_2000, JPEG_XL, RAW)
READ = (*PICTURE_FORMATS, PDF, ZIP, VIDEO)
"""Formats that Boxfind reads, if the package of the format is installed."""
PACKAGES: dict[str, OptionalPackage] = {
    HEIC: PILLOW_HEIF,
    HEIF: PILLOW_HEIF,
    JPEG_XL: PILLOW_JXL,
    RAW: RAWPY,
    PDF: PYPDFIUM2,
    VIDEO: PYAV,
}
"""The package that reads a format; the others need none."""
FORMAT_OF_SUFFIX = {
    **dict.fromkeys((".heic", ".heics", ".hif"), HEIC),
    **dict.fromkeys((".heif", ".heifs"), HEIF),
    **dict.fromkeys(RAW_SUFFIXES, RAW),
    **dict.fromkeys((".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpm", ".jph", ".jhc"), JPEG_2000),
    ".jxl": JPEG_XL,
    ".pdf": PDF,
    **dict.fromkeys((".cbz", ".zip"), ZIP),
    **dict.fromkeys(VIDEO_SUFFIXES, VIDEO),
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
"""Suffix -> name of the format, except for those of FORMATS."""
SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0\x10\0\0\0CR", RAW),  # Canon CR2, a TIFF whose first picture is a preview
    *((start, "TIFF") for start in TIFF_STARTS),
    *((start, RAW) for start in (b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")),
    (b"II\x1a\0\0\0HEAPCCDR", RAW),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\xff\x0a", JPEG_XL),
    (b"%PDF-", PDF),
    (b"PK\x03\x04", ZIP),
    (b"\x1aE\xdf\xa3", VIDEO),  # Matroska and WebM
    (b"II\xbc", "JPEG XR"),
    (b"8BPS", "Photoshop"),
    (b"gimp xcf", "GIMP"),
    (b"v/1\x01", "OpenEXR"),
)
BRANDS = (
    ("AVIF", {b"avif", b"avis"}),
    (HEIC, {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}),
    (RAW, {b"crx "}),  # Canon CR3
    (HEIF, {b"mif1", b"msf1"}),
    (
        VIDEO,
        {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VH", b"M4VP", b"qt  "}
        | {b"dash", b"MSNV", b"3gp4", b"3gp5", b"3gp6", b"mmp4"},
    ),
)
"""Formats in an ISO base media file by its brands; the first match counts."""
NO_PICTURES = (
    # sidecars, catalogues and caches of picture programs
    ".aae .arp .cop .cos .dop .itl .jpgs .lrcat .lrprev .lrtemplate .nksc .on1 .pp3 .thm .xmp "
    # documents, fonts and tables
    ".asc .chm .conf .djvu .docx .dotx .epub .gpx .ics .ini .kml .key .lnk .log .md .mobi .msg .nfo .numbers .odp .ods "
    ".odt .otf .pages .parquet .pptx .rst .rtf .srt .toml .ttf .url .webloc .woff .woff2 .xlsx .yaml .yml "
    # sound and films
    ".amr .ape .flac .flv .insv .lrv .m2ts .m4a .m4b .m4p .mid .midi .mka .mts .oga .ogg .ogv .rm .vob .wma "
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
    suffix
    for suffix, kind in mimetypes.MimeTypes(()).types_map[True].items()
    if not kind.startswith("image/") and suffix not in SOURCE_SUFFIXES
}
"""Suffixes of files that are no pictures, or copies of one; these files are never opened."""
COPIES = ("~", "_original")
"""Endings of backup copies that editors and ExifTool leave."""


def suffix_of(name: str) -> str:
    """ "Beach.JPG" -> ".jpg"; "" if there is none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def readable_suffixes() -> frozenset[str]:
    """The suffixes of files that are read whatever they contain: all but those of packages that are missing."""
    missing = {name for name, package in PACKAGES.items() if not package.installed}
    return frozenset(suffix for suffix in SOURCE_SUFFIXES if FORMAT_OF_SUFFIX.get(suffix) not in missing)


def is_worth_opening(name: str) -> bool:
    """Whether the first bytes may show a picture though the suffix is not that of a readable one."""
    suffix = suffix_of(name)
    if name.endswith(COPIES):
        return False
    return suffix in FORMAT_OF_SUFFIX or suffix not in OTHER_SUFFIXES


def picture_format(name: str, start: bytes) -> str:
    """The format of a picture, document or film, one of READ if it can be read; "" if the file is none of these.

    The content decides, then the suffix. A raw file is a TIFF that holds a small preview, so there the suffix decides.
    Many programs pack their own files as ZIP, so only a ZIP with the suffix of a picture or archive counts.
    """
    by_suffix, by_content = FORMAT_OF_SUFFIX.get(suffix_of(name), ""), content_format(start)
    if by_content == ZIP and suffix_of(name) not in SOURCE_SUFFIXES:
        return ""
    return by_suffix if by_suffix == RAW and by_content == "TIFF" else by_content or by_suffix


def content_format(start: bytes) -> str:
    """The format that the first bytes show; "" if there is none. Formats that can be read are in READ."""
    if start[4:8] == b"ftyp":
        brands = {start[place : place + 4] for place in range(8, min(len(start), int.from_bytes(start[:4])), 4)}
        return next((name for name, known in BRANDS if brands & known), "")
    if start[4:8] in (b"moov", b"mdat", b"wide") and start[:1] == b"\0":  # QuickTime before 2001
        return VIDEO
    if start[:4] == b"RIFF" and start[8:12] in (b"WEBP", b"AVI "):
        return "WEBP" if start[8:12] == b"WEBP" else VIDEO
    if start[:2] == b"BM" and start[6:10] == bytes(4):
        return "BMP"
    return next((name for signature, name in SIGNATURES if start.startswith(signature)), "")


def is_unread(picture_format: str) -> bool:
    """Whether this is the name of a format that Boxfind cannot read, or not without a package that is missing."""
    package = PACKAGES.get(picture_format)
    return bool(picture_format) and (picture_format not in READ or (package is not None and not package.installed))


def unread_sentence(name: str, picture_format: str) -> str:
    """The message about a picture in a format that Boxfind cannot read, or not without a package that is missing."""
    package = PACKAGES.get(picture_format)
    if package is not None:
        what = "a video" if picture_format == VIDEO else f"in {picture_format} format"
        return f"{name} is {what}, which needs the package {package.package}; {install(package.extra)}."
    return f"{name} is a picture in {picture_format} format, which Boxfind cannot read yet; convert it to JPEG."
