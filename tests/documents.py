"""Make documents and archives of drawn pictures for tests."""

import io
from collections.abc import Sequence
from zipfile import ZIP_DEFLATED, ZipFile

from PIL import Image as Pillow

from retrieval.types import Image


def encoded(image: Image, kind: str, **options: object) -> bytes:
    """A picture file."""
    out = io.BytesIO()
    Pillow.fromarray(image).save(out, kind, **options)
    return out.getvalue()


def paged(images: Sequence[Image], kind: str, **options: object) -> bytes:
    """A file of several pages or frames: TIFF, GIF, WEBP, PNG, AVIF, or a scanned PDF."""
    first, *others = map(Pillow.fromarray, images)
    out = io.BytesIO()
    first.save(out, kind, save_all=True, append_images=others, **options)
    return out.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    """A ZIP of files by name."""
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as written:
        for name, data in files.items():
            written.writestr(name, data)
    return out.getvalue()


def text_pdf(lines: Sequence[str], pages: int = 1, size: tuple[float, float] = (300, 400)) -> bytes:
    """A PDF whose pages have lines of text, 20 points high, and the number of the page."""
    kids = range(4, 4 + 2 * pages, 2)
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for page, kid in enumerate(kids, start=1):
        shown = enumerate([*lines, f"Sheet {page}"], start=1)
        text = "".join(f"BT /F1 20 Tf 30 {size[1] - 40 * n:.0f} Td ({line}) Tj ET\n" for n, line in shown)
        fonts = "<< /Font << /F1 3 0 R >> >>"
        box = f"[0 0 {size[0]} {size[1]}]"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents {kid + 1} 0 R /Resources {fonts} >>",
            f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
        ]
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body.encode()))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table))
    return out.getvalue()
