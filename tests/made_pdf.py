"""Small PDFs written byte by byte, for what no drawing library would write."""

import zlib


def raw_pdf(
    content: bytes, *, n_pages: str = "1", kids: str = "[3 0 R]", catalog: str = "", font: str = "", cmap: bytes = b""
) -> bytes:
    """A one-page PDF with this content stream, compressed."""
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
        f"<< /Type /Pages /Kids {kids} /Count {n_pages} >>".encode(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        _stream(content),
        f"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica {font} >>".encode(),
        _stream(cmap),
    ]
    pdf = b"%PDF-1.4\n"
    references = b"xref\n0 7\n0000000000 65535 f \n"
    for number, body in enumerate(objects, 1):
        references += b"%010d 00000 n \n" % len(pdf)
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    return pdf + references + b"trailer\n<< /Root 1 0 R /Size 7 >>\nstartxref\n%d\n%%%%EOF\n" % len(pdf)


def garbled_pdf() -> bytes:
    """A text layer whose map to Unicode gives private characters."""
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <FF> "
        b"endcodespacerange 1 beginbfrange <00> <FF> <E000> endbfrange endcmap end end"
    )
    return raw_pdf(b"BT /F1 12 Tf 72 700 Td (Nobody can read this) Tj ET", font="/ToUnicode 6 0 R", cmap=cmap)


def long_pdf(n_pages: int, lines: int = 40) -> bytes:
    """A PDF that shows one page of text n_pages times: small to hold, long to read."""
    text = (
        b"BT /F1 10 Tf 72 760 Td 12 TL " + b"(Reading this page takes a while, and there are many.) ' " * lines + b"ET"
    )
    return raw_pdf(text, n_pages=str(n_pages), kids="[" + "3 0 R " * n_pages + "]")


def _stream(content: bytes) -> bytes:
    packed = zlib.compress(content)
    return b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed)
