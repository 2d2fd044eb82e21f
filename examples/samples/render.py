"""Renders the sample documents: sources/*.txt in, PDFs out. The same source always gives the same bytes.

A source is a head of `name: value` lines (`output`, `title`, and as needed `author`, `front_pages`, `form`), an empty
line, and a body in which `# ` and `## ` are headings, `- ` is an item of a list, `| a | b |` is a row of a table and
`[page break]` starts a page; anything else is a paragraph. `form: scan` gives a picture of the text, as a scanner does.

    python examples/samples/render.py [FOLDER]      (default: the folder of this script)
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont
from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

HERE = Path(__file__).parent
MARK = "SAMPLE - invented parties"
ROMAN = ("i", "ii", "iii", "iv", "v", "vi")
BODY = ParagraphStyle("body", fontName="Times-Roman", fontSize=11.5, leading=16, spaceAfter=7)
ITEM = ParagraphStyle("item", parent=BODY, leftIndent=14, bulletIndent=4, spaceAfter=3)
CELL = ParagraphStyle("cell", parent=BODY, spaceAfter=0)
HEADINGS = {
    "# ": ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=17, leading=21, spaceBefore=10, spaceAfter=12),
    "## ": ParagraphStyle("clause", fontName="Helvetica-Bold", fontSize=11.5, leading=15, spaceBefore=9, spaceAfter=4),
}


@dataclass(frozen=True, slots=True)
class SampleSource:
    """One parsed source.

    Attributes:
        output: Where the PDF goes, relative to the folder that is rendered to.
        title: The PDF's title, as its metadata gives it.
        author: The PDF's author; empty when unknown.
        front_pages: How many leading pages are numbered i, ii, ...; the rest are numbered from 1.
        is_scan: Whether the body becomes a picture instead of text.
        body: The lines below the head.
    """

    output: str
    title: str
    author: str
    front_pages: int
    is_scan: bool
    body: tuple[str, ...]


def render_samples(folder: Path) -> list[Path]:
    """Render every source into `folder`; returns the PDFs, ordered by the name of their source."""
    rl_config.useA85 = 0  # streams as they are: smaller files
    written = []
    for path in sorted((HERE / "sources").glob("*.txt")):
        source = load_source(path)
        target = folder / source.output
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(build_scan(source) if source.is_scan else build_pdf(source))
        written.append(target)
    return written


def load_source(path: Path) -> SampleSource:
    """Read one source. Raises KeyError when `output` or `title` is missing from its head."""
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    return SampleSource(
        output=fields["output"],
        title=fields["title"],
        author=fields.get("author", ""),
        front_pages=int(fields.get("front_pages", "0")),
        is_scan=fields.get("form") == "scan",
        body=tuple(body.splitlines()),
    )


def build_pdf(source: SampleSource) -> bytes:
    """Typeset the body; the first page carries the sample mark, every page its number."""

    def decorate(canvas: Canvas, _document: BaseDocTemplate) -> None:
        """Draw what stands around the text of one page (after it, so that it is read last), and label the page."""
        number = canvas.getPageNumber()
        is_front = number <= source.front_pages
        if number in (1, source.front_pages + 1):
            canvas.addPageLabel(number - 1, style="ROMAN_LOWER" if is_front else "ARABIC", start=1)
        label = ROMAN[number - 1] if is_front else str(number - source.front_pages)
        canvas.setFont("Helvetica", 8)
        canvas.setFillColor(colors.Color(0.35, 0.35, 0.35))
        if number == 1:
            canvas.drawString(22 * mm, A4[1] - 14 * mm, MARK)
        canvas.drawCentredString(A4[0] / 2, 12 * mm, f"Page {label}")

    buffer = io.BytesIO()
    document = BaseDocTemplate(
        buffer,
        pagesize=A4,
        title=source.title,
        author=source.author or MARK,
        subject=MARK,
        creator="examples/samples/render.py",
        invariant=1,
        pageCompression=0,
        lang="en",
    )
    frame = Frame(20 * mm, 18 * mm, A4[0] - 40 * mm, A4[1] - 38 * mm)
    document.addPageTemplates(PageTemplate(frames=[frame], onPageEnd=decorate))
    document.build(list(iter_flowables(source.body)))
    return buffer.getvalue()


def iter_flowables(body: tuple[str, ...]) -> Iterator[Flowable]:
    """Turn the lines of a body into what is set on the page, in order."""
    for is_row, lines in groupby((line for line in body if line), key=lambda line: line.startswith("| ")):
        if is_row:
            yield build_table(list(lines))
            yield Spacer(1, 8)
        else:
            yield from map(build_flowable, lines)


def build_flowable(line: str) -> Flowable:
    """One line that is not a row of a table."""
    if line == "[page break]":
        return PageBreak()
    if line.startswith("- "):
        return Paragraph(escape(line[2:]), ITEM, bulletText="-")
    for start, style in HEADINGS.items():
        if line.startswith(start):
            return Paragraph(escape(line.removeprefix(start)), style)
    return Paragraph(escape(line), BODY)


def build_table(lines: list[str]) -> Table:
    """Rows of `| a | b |` as a ruled table over the width of the page."""
    rows = [[Paragraph(escape(cell.strip()), CELL) for cell in line.strip("| ").split(" | ")] for line in lines]
    width = (A4[0] - 44 * mm) / len(rows[0])
    rule = TableStyle([("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])
    return Table(rows, colWidths=[width] * len(rows[0]), style=rule)


def build_scan(source: SampleSource) -> bytes:
    """Draw the body as a picture, a little askew, on one page that has no text layer at all."""
    page = Image.new("L", (827, 1169), 244)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(source.body):
        pen.text((90, 100 + 26 * number), line, fill=40, font=ImageFont.load_default(size=19 if number else 26))
    picture = io.BytesIO()
    page.rotate(0.7, fillcolor=244).save(picture, "JPEG", quality=45)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, pageCompression=0)
    canvas.setTitle(source.title)
    canvas.setSubject(MARK)
    canvas.setCreator("examples/samples/render.py")
    canvas.drawImage(ImageReader(picture), 0, 0, *A4)
    canvas.save()
    return buffer.getvalue()


if __name__ == "__main__":
    for pdf in render_samples(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE):
        sys.stdout.write(f"{pdf} {pdf.stat().st_size} bytes\n")
