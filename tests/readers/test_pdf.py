"""The PDF reader on small PDFs made here, and, marked corpus, on the real ones."""

import csv
import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from made_pdf import garbled_pdf, long_pdf, raw_pdf
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from pipeline.errors import Reject, RejectCode, Stage
from pipeline.readers import parts, pdf, read
from pipeline.readers.assembly import Assembly
from pipeline.readers.document import Document, SegmentStatus, UnreadableError
from pipeline.readers.parts import Head
from pipeline.readers.pdf import PdfParts, read_pdf
from pipeline.readers.pdf_choice import Reading, choose
from pipeline.readers.pdf_pypdf import PypdfFile
from pipeline.readers.pool import ReadLimits, iter_documents
from pipeline.readers.read import read_source, read_task, reader_for
from pipeline.sources import Source

GOLDENS = Path(__file__).parents[1] / "goldens" / "pdf"


def source(path: Path, password: str | None = None) -> Source:
    content = path.read_bytes()
    name = path.name
    return Source(name, path, name, hashlib.sha256(content).hexdigest(), len(content), password)


def draw(path: Path, *pages: str | Callable[[Canvas], object], encrypt: StandardEncryption | None = None) -> Path:
    """A PDF; a page is its one line of text, or what a function draws."""
    canvas = Canvas(str(path), encrypt=encrypt, invariant=1)
    canvas.setTitle("A sample\x00 title")
    for page in pages:
        if callable(page):
            page(canvas)
        else:
            canvas.drawString(72, 700, page)
        canvas.showPage()
    canvas.save()
    return path


def scan(canvas: Canvas) -> None:
    canvas.drawInlineImage(Image.new("RGB", (20, 20), "red"), 0, 0, 500, 700)


def image_page(canvas: Canvas) -> None:
    from reportlab.lib.utils import ImageReader

    canvas.drawImage(ImageReader(Image.new("RGB", (20, 20), "red")), 0, 0, 500, 700)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refused(path: Path, password: str | None = None) -> tuple[RejectCode, str]:
    with pytest.raises(UnreadableError) as caught:
        read_pdf(source(path, password))
    assert caught.value.detail.endswith(".")
    return caught.value.code, caught.value.detail


def page_texts(document: Document) -> list[str]:
    return [document.text[segment.start : segment.end].removesuffix("\n\n") for segment in document.segments]


def statuses(document: Document) -> list[SegmentStatus]:
    return [segment.status for segment in document.segments]


def test_one_segment_a_page_in_order(tmp_path: Path) -> None:
    document = read_pdf(source(draw(tmp_path / "a.pdf", "First page", "Second page", "Third page")))
    assert page_texts(document) == ["First page", "Second page", "Third page"]
    assert document.text == "First page\n\nSecond page\n\nThird page\n\n"
    assert [segment.page_number for segment in document.segments] == [1, 2, 3]
    assert {(segment.reader, segment.status, segment.page_label, segment.detail) for segment in document.segments} == {
        ("pypdf", SegmentStatus.READ, None, "")
    }
    assert document.format == "pdf"
    assert dict(document.metadata)["Title"] == "A sample title"


def test_a_page_without_text_keeps_its_place(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.pdf", "One", lambda canvas: None, image_page, scan, "Five")
    document = read_pdf(source(path))
    assert page_texts(document) == ["One", "", "", "", "Five"]
    assert statuses(document) == [
        SegmentStatus.READ,
        SegmentStatus.EMPTY,
        SegmentStatus.IMAGE_ONLY,
        SegmentStatus.IMAGE_ONLY,
        SegmentStatus.READ,
    ]
    assert [segment.page_number for segment in document.segments] == [1, 2, 3, 4, 5]


def test_a_stamp_over_a_scan_is_read(tmp_path: Path) -> None:
    def stamped(canvas: Canvas) -> None:
        image_page(canvas)
        canvas.drawString(72, 750, "Case 3:08-cv Document 27")

    document = read_pdf(source(draw(tmp_path / "a.pdf", stamped)))
    assert statuses(document) == [SegmentStatus.READ]


def test_page_labels_are_the_documents_own(tmp_path: Path) -> None:
    extra = "/PageLabels << /Nums [0 << /S /r /St 4 >>] >>"
    path = write(tmp_path / "a.pdf", raw_pdf(b"BT /F1 12 Tf 72 700 Td (Preface) Tj ET", catalog=extra))
    assert [segment.page_label for segment in read_pdf(source(path)).segments] == ["iv"]


def test_what_is_typed_into_a_form_is_read(tmp_path: Path) -> None:
    def form(canvas: Canvas) -> None:
        canvas.drawString(72, 750, "Name of the tenant:")
        canvas.acroForm.textfield(name="tenant", value="Maria Gonzalez", x=200, y=745, width=200, height=20)

    document = read_pdf(source(draw(tmp_path / "a.pdf", form, "Second page")))
    assert "Name of the tenant:" in document.text
    assert "Maria Gonzalez" in document.text
    assert [segment.reader for segment in document.segments] == ["pypdfium2", "pypdf"]


def test_only_pictures(tmp_path: Path) -> None:
    code, detail = refused(draw(tmp_path / "a.pdf", image_page, lambda canvas: None, scan))
    assert code is RejectCode.IMAGE_ONLY
    assert detail == "No page of 3 has usable text (2 image only, 1 empty)."


def test_nothing_at_all(tmp_path: Path) -> None:
    assert refused(draw(tmp_path / "a.pdf", lambda canvas: None))[0] is RejectCode.NO_TEXT


def test_no_pages(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "a.pdf", raw_pdf(b"", n_pages="0", kids="[]")))[0] is RejectCode.NO_PAGES


def test_garbled_everywhere(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "a.pdf", garbled_pdf())) == (
        RejectCode.GARBLED_TEXT,
        "No page of 1 has usable text (1 garbled).",
    )


@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", RejectCode.EMPTY_FILE, "no bytes"),
        (b"<!DOCTYPE html><title>404</title>", RejectCode.WRONG_CONTENT, "an HTML page"),
        (b"PK\x03\x04" + bytes(100), RejectCode.WRONG_CONTENT, "ZIP"),
        (b"Not Found\n", RejectCode.WRONG_CONTENT, "text: 'Not Found"),
        (bytes(5000), RejectCode.WRONG_CONTENT, "binary"),
        (b"%PDF-1.4\n", RejectCode.CORRUPT, "Neither"),
        (b"%PDF-1.4\n" + bytes(range(256)) * 400, RejectCode.CORRUPT, "Neither"),
    ],
)
def test_what_is_no_pdf_is_named(tmp_path: Path, content: bytes, code: RejectCode, word: str) -> None:
    found, detail = refused(write(tmp_path / "a.pdf", content))
    assert found is code
    assert word in detail


def test_half_a_file(tmp_path: Path) -> None:
    whole = draw(tmp_path / "a.pdf", *[f"Page {n}" for n in range(20)]).read_bytes()
    for n_bytes in range(10, len(whole), 997):
        try:
            document = read_pdf(source(write(tmp_path / "half.pdf", whole[:n_bytes])))
        except UnreadableError as error:
            assert error.code in {RejectCode.CORRUPT, RejectCode.NO_PAGES, RejectCode.NO_TEXT}
        else:
            assert all(text.startswith("Page ") for text in page_texts(document) if text)


@pytest.mark.parametrize("password", ["secret", "pässwörd"])
def test_passwords(tmp_path: Path, password: str) -> None:
    path = draw(tmp_path / "a.pdf", "Hidden", encrypt=StandardEncryption(password, ownerPassword="owner", strength=128))
    assert page_texts(read_pdf(source(path, password))) == ["Hidden"]
    assert page_texts(read_pdf(source(path, "owner"))) == ["Hidden"]
    assert refused(path) == (RejectCode.ENCRYPTED, "The file is encrypted and no password was given.")
    assert refused(path, "x") == (RejectCode.ENCRYPTED, "The file is encrypted and the password given for it is wrong.")


def test_a_file_protected_only_against_changes_needs_no_password(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.pdf", "Open", encrypt=StandardEncryption("", ownerPassword="owner", strength=128))
    assert page_texts(read_pdf(source(path))) == ["Open"]
    assert page_texts(read_pdf(source(path, "needless"))) == ["Open"]


def test_a_password_for_an_open_file_is_ignored(tmp_path: Path) -> None:
    assert page_texts(read_pdf(source(draw(tmp_path / "a.pdf", "Open"), "needless"))) == ["Open"]


def test_a_slow_document_goes_to_pdfium_whole(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.pdf", "One", "Two", "Three")
    ticks = count()
    document = read_pdf(source(path), pypdf_budget_s=4, clock=lambda: next(ticks))
    assert page_texts(document) == ["One", "Two", "Three"]
    assert {(segment.reader, segment.detail) for segment in document.segments} == {
        ("pypdfium2", "pypdf has used up its 4 s")
    }


def test_a_slow_page_is_stopped_inside(tmp_path: Path) -> None:
    content = b"BT /F1 1 Tf 72 700 Td " + b"(a) Tj " * 30_000 + b" ET"
    path = write(tmp_path / "a.pdf", raw_pdf(content))
    document = read_pdf(source(path), pypdf_budget_s=0.05)
    assert document.segments[0].detail == "pypdf has used up its 0.05 s"
    assert document.text == "a" * 30_000 + "\n\n"


def test_an_endless_page_ends(tmp_path: Path) -> None:
    """60 MB of drawing operators in 60 KB of file."""
    path = write(tmp_path / "a.pdf", raw_pdf(b"BT /F1 1 Tf 72 700 Td (a) Tj ET " + b"q Q " * 15_000_000))
    (result,) = (result for _, result in iter_documents([source(path)], ReadLimits(60, 512, 1), read_task))
    if isinstance(result, Reject):
        assert result.code in {RejectCode.READ_MEMORY, RejectCode.READER_CRASHED, RejectCode.READ_TIMEOUT}
    else:
        assert result.segments[0].reader == "pypdfium2"


@pytest.mark.parametrize("depth", [200, 20_000])
def test_deep_nesting(tmp_path: Path, depth: int) -> None:
    content = b"BT /F1 12 Tf 72 700 Td (x) Tj ET " + b"[" * depth + b"]" * depth + b" TJ"
    path = write(tmp_path / "a.pdf", raw_pdf(content))
    (result,) = (result for _, result in iter_documents([source(path)], ReadLimits(60, 512, 1), read_task))
    assert isinstance(result, Document) or result.code in {RejectCode.CORRUPT, RejectCode.READER_CRASHED}


def test_a_page_listed_many_times(tmp_path: Path) -> None:
    kids = "[" + "3 0 R " * 500 + "]"
    path = write(tmp_path / "a.pdf", raw_pdf(b"BT /F1 12 Tf 72 700 Td (again) Tj ET", n_pages="500", kids=kids))
    assert page_texts(read_pdf(source(path))) == ["again"] * 500


@pytest.mark.parametrize("prefer_pdfium", [False, True])
@pytest.mark.parametrize("n_pages", ["5000", "100000000"])
def test_a_page_count_that_lies(tmp_path: Path, n_pages: str, prefer_pdfium: bool) -> None:
    """pdfium believes it up to a million."""
    path = write(tmp_path / "a.pdf", raw_pdf(b"BT /F1 12 Tf 72 700 Td (one) Tj ET", n_pages=n_pages))
    assert page_texts(read_pdf(source(path), prefer_pdfium=prefer_pdfium)) == ["one"]


@pytest.mark.parametrize("prefer_pdfium", [False, True])
def test_a_page_count_that_leaves_pages_out(tmp_path: Path, prefer_pdfium: bool) -> None:
    path = write(tmp_path / "a.pdf", long_pdf(40).replace(b"/Count 40", b"/Count 33"))
    assert len(read_pdf(source(path), prefer_pdfium=prefer_pdfium).segments) == 40


def test_reading_is_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """pypdf warns about this file in its log, and would print to a terminal without handlers."""
    logging.getLogger("pypdf").handlers.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_pdf(source(write(tmp_path / "a.pdf", b"junk\n" + raw_pdf(b"BT /F1 12 Tf (x) Tj ET"))))
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_missing_file_is_the_sources_fault(tmp_path: Path) -> None:
    result = read_source(Source("a.pdf", tmp_path / "a.pdf", "a", "0" * 64, 0))
    assert isinstance(result, Reject)
    assert result.code is RejectCode.SOURCE_UNREADABLE


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.docx", b"PK\x03\x04" + bytes(60), RejectCode.UNSUPPORTED_FORMAT),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(60), RejectCode.UNSUPPORTED_FORMAT),
        ("a", bytes(range(256)), RejectCode.UNSUPPORTED_FORMAT),
        ("a.csv", b"a,b\n1,2\n", RejectCode.UNSUPPORTED_FORMAT),
        ("a.xyz", b"", RejectCode.EMPTY_FILE),
        ("a.pdf", b"\x89PNG\r\n\x1a\n" + bytes(60), RejectCode.WRONG_CONTENT),
    ],
)
def test_other_files_are_refused_as_what_they_are(tmp_path: Path, name: str, content: bytes, code: RejectCode) -> None:
    result = read_source(source(write(tmp_path / name, content)))
    assert isinstance(result, Reject)
    assert (result.code, result.uri, result.doc_id) == (code, name, name)


def test_content_decides_before_the_name(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.pdf", "A PDF named text").rename(tmp_path / "a.txt")
    result = read_source(source(path))
    assert isinstance(result, Document)
    assert result.format == "pdf"


WORDS = "The parties agree as follows and each of them signs here."


@pytest.mark.parametrize(
    ("first", "second", "reader", "why"),
    [
        (Reading("A", WORDS), Reading("B", WORDS.upper()), "A", ""),
        (Reading("A", WORDS), Reading("B", error="B: broken"), "A", ""),
        (Reading("A", WORDS), Reading("B", " \n"), "A", ""),
        (Reading("A", " "), Reading("B", WORDS), "B", "A found no text"),
        (Reading("A", error="A: broken"), Reading("B", WORDS), "B", "A: broken"),
        (Reading("A", "\ue000" * 9), Reading("B", WORDS), "B", "100% of the characters by A are undecoded"),
        (Reading("A", WORDS), Reading("B", "\ue000" * 9), "A", ""),
        (Reading("A", "con\x0crm"), Reading("B", "confirm"), "B", "A left 1 characters undecoded"),
        (Reading("A", "\ufefb"), Reading("B", "لا"), "B", "A gives Arabic letters in drawing order"),
        (Reading("A", "aa bb cc"), Reading("B", "a b c"), "B", "A has every character twice"),
        (Reading("A", WORDS[:20]), Reading("B", WORDS), "B", "A found 17 of 47 characters"),
        (Reading("A", WORDS, doubt="no such font"), Reading("B", WORDS), "B", "A: no such font"),
        (Reading("A", WORDS.replace("ee", "e e").replace("ll", "l l")), Reading("B", WORDS), "B", "A splits 2 words"),
        (Reading("A", WORDS, doubt="no such font"), Reading("B", WORDS[:20]), "A", ""),
    ],
)
def test_the_better_reading_wins(first: Reading, second: Reading, reader: str, why: str) -> None:
    page = choose(first, second, has_image=False)
    assert (page.status, page.reader, page.detail) == (SegmentStatus.READ, reader, why)


@pytest.mark.parametrize(
    ("first", "second", "has_image", "status"),
    [
        (Reading("A"), Reading("B"), False, SegmentStatus.EMPTY),
        (Reading("A"), Reading("B"), True, SegmentStatus.IMAGE_ONLY),
        (Reading("A", error="x"), Reading("B", error="y"), False, SegmentStatus.FAILED),
        (Reading("A", error="x"), Reading("B"), False, SegmentStatus.FAILED),
        (Reading("A", error="x"), Reading("B"), True, SegmentStatus.IMAGE_ONLY),
        (Reading("A"), Reading("B", error="y"), False, SegmentStatus.EMPTY),
        (Reading("A", "\ue000\ue001"), Reading("B", "(cid:1)(cid:2)"), False, SegmentStatus.GARBLED),
    ],
)
def test_a_page_without_text_says_why(first: Reading, second: Reading, has_image: bool, status: SegmentStatus) -> None:
    page = choose(first, second, has_image)
    assert page.status is status
    assert page.text == ""
    assert page.detail


# pdfium preferred, and large documents in parts


def test_pdfium_preferred_asks_pypdf_only_where_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read_page = PypdfFile.read_page

    def read_and_tell(self: PypdfFile, index: int) -> tuple[str, str]:
        asked.append(index)
        return read_page(self, index)

    monkeypatch.setattr(PypdfFile, "read_page", read_and_tell)
    path = draw(tmp_path / "a.pdf", "One", lambda canvas: None, image_page, "Four")
    document = read_pdf(source(path), prefer_pdfium=True)
    assert page_texts(document) == ["One", "", "", "Four"]
    assert asked == [1, 2], "the pages on which pdfium finds nothing"
    assert statuses(document) == statuses(read_pdf(source(path)))
    assert {document.segments[0].reader, document.segments[3].reader} == {"pypdfium2"}


def test_pdfium_preferred_refuses_the_same_files(tmp_path: Path) -> None:
    hidden = draw(tmp_path / "a.pdf", "Hidden", encrypt=StandardEncryption("secret", ownerPassword="owner"))
    for path in (hidden, write(tmp_path / "b.pdf", b"%PDF-1.4\n"), write(tmp_path / "c.pdf", garbled_pdf())):
        by_pypdf, by_pdfium = read_source(source(path)), read_source(source(path), "pypdfium2")
        assert isinstance(by_pypdf, Reject)
        assert by_pdfium == by_pypdf


def read_part(part: parts.Part, prefer_pdfium: bool = False) -> parts.PartRead:
    """As a child that has not opened the file yet."""
    child = PdfParts()
    with closing(child):
        return child.read(part, prefer_pdfium)


@pytest.fixture(autouse=True)
def let_go_of_the_last_file() -> Iterator[None]:
    yield
    read._pdf_parts().close()


def in_parts(whole: Source, prefer_pdfium: bool = False) -> Document | Reject:
    """Read as children do, each part by another one, the last part first."""
    reader = "pypdfium2" if prefer_pdfium else "pypdf"
    head = reader_for(reader)(whole)
    if not isinstance(head, Head):
        assert isinstance(head, Document | Reject)
        return head
    assembly = Assembly(whole, head, 0.0, ReadLimits())
    waiting = []
    while assembly.has_waiting:
        waiting.append(assembly.next_part())
    for part in reversed(waiting):
        if (done := assembly.add(part, read_part(part, prefer_pdfium), 0.0)) is not None:
            return done
    raise AssertionError("all parts were read, and nothing came out")


@pytest.mark.parametrize("prefer_pdfium", [False, True])
@pytest.mark.parametrize("n_pages", [1, 2, 3, 4, 7, 10])
def test_parts_make_the_same_document_as_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_pages: int, prefer_pdfium: bool
) -> None:
    for module in (parts, pdf):
        monkeypatch.setattr(module, "PART_PAGES", 3)
    kinds: list[str | Callable[[Canvas], object]] = [
        lambda canvas: None,
        image_page,
        scan,
        "The words of this page",
        "Ünïcödé",
    ]
    whole = source(draw(tmp_path / "a.pdf", *[kinds[(n * 3 + 1) % 5] for n in range(n_pages)]))
    assert in_parts(whole, prefer_pdfium) == read_source(whole, "pypdfium2" if prefer_pdfium else "pypdf")


def test_children_read_a_large_document_in_parts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", long_pdf(parts.PART_PAGES * 2 + 5, lines=2))
    assert isinstance(read_task(source(path)), Head)
    for reader in ("pypdf", "pypdfium2"):
        ((_, result),) = iter_documents([source(path)], ReadLimits(60, 512, 2), reader_for(reader))
        assert result == read_source(source(path), reader)


def test_pages_are_cut_evenly_by_their_number_alone() -> None:
    for n_pages in (1, 32, 33, 64, 65, 249, 2415):
        cut = Head(n_pages, (), ()).parts
        assert [index for pages in cut for index in pages] == list(range(n_pages))
        assert max(map(len, cut)) <= parts.PART_PAGES
        assert max(map(len, cut)) - min(map(len, cut)) <= 1


def test_a_part_of_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", long_pdf(parts.PART_PAGES + 1, lines=1))
    whole = source(path)
    head = read_task(whole)
    assert isinstance(head, Head)
    part = parts.Part(whole, range(3), head.stamp)
    path.touch()  # its bytes are the same
    assert isinstance(read_task(part), parts.PartRead)
    path.write_bytes(path.read_bytes() + b"%")
    result = read_task(part)
    assert isinstance(result, Reject)
    assert (result.code, result.detail) == (
        RejectCode.SOURCE_UNREADABLE,
        "The file was changed before it was read to its end.",
    )


def test_a_part_that_takes_pypdf_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "PYPDF_BUDGET_S", 0.01)
    whole = source(write(tmp_path / "a.pdf", long_pdf(40)))
    part = read_part(parts.Part(whole, range(40)))
    assert (part.pages, part.pypdf_s) == ((), float("inf"))
    assert part.open_s > 0
    again = read_part(parts.Part(whole, range(40), pypdf_error="pypdf was slow"))
    assert {(page.reader, page.detail) for page in again.pages} == {("pypdfium2", "pypdf was slow")}


# The real documents


def passwords(corpus: Path) -> dict[str, list[str]]:
    with (corpus / "pdf" / "PROVENANCE.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {row["file"]: row["password"].split("|") for row in rows if row["password"]}


def read_all(sources: Iterable[Source]) -> dict[str, Document | Reject]:
    limits = ReadLimits(timeout_s=300, memory_mb=1024)
    return {source.uri: result for source, result in iter_documents(sources, limits, read_task)}


NOT_READ = {
    "corrupt__derived__html_error_as_pdf.pdf": RejectCode.WRONG_CONTENT,
    "corrupt__derived__mueller2_trunc60.pdf": RejectCode.CORRUPT,
    "corrupt__pj__issue15590.pdf": RejectCode.CORRUPT,
    "corrupt__pp__empty.pdf": RejectCode.EMPTY_FILE,
    "corrupt__qp__bad1.pdf": RejectCode.WRONG_CONTENT,
    "corrupt__qp__broken-lzw.pdf": RejectCode.CORRUPT,
    "corrupt__qp__deep-pages.pdf": RejectCode.CORRUPT,
    "corrupt__qp__issue-99.pdf": RejectCode.NO_TEXT,
    "encrypted__pl__encrypted_new.pdf": RejectCode.ENCRYPTED,
    "scanned__ca__image.pdf": RejectCode.IMAGE_ONLY,
    "scanned__dl__ocr_test.pdf": RejectCode.IMAGE_ONLY,
    "scanned__dl__ocr_test_rotated_90.pdf": RejectCode.IMAGE_ONLY,
    "scanned__do__image-pdf.pdf": RejectCode.IMAGE_ONLY,
    "scanned__mk__MEDRPT-2024-PAT-3847_medical_report_scan.pdf": RejectCode.IMAGE_ONLY,
    "scanned__oc__c02-22.pdf": RejectCode.IMAGE_ONLY,
    "scanned__ol__lincoln_letter.pdf": RejectCode.IMAGE_ONLY,
    "text__ca__empty.pdf": RejectCode.NO_TEXT,
    "zeropage__qp__empty.pdf": RejectCode.NO_PAGES,
}
"""Of the real PDFs these give no document; each was looked at."""


@pytest.mark.corpus
def test_every_real_pdf_is_read_or_refused_with_a_reason(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = passwords(corpus)
    paths = sorted(path for path in corpus.rglob("*") if path.suffix.lower() == ".pdf")
    results = read_all(source(path, given.get(path.name, [None])[0]) for path in paths)
    assert capfd.readouterr() == ("", "")
    assert len(results) == len(paths)
    rejects = {uri: result for uri, result in results.items() if isinstance(result, Reject)}
    assert {uri: reject.code for uri, reject in rejects.items()} == NOT_READ
    for reject in rejects.values():
        assert reject.code.stage is Stage.READ
        assert reject.detail.endswith(".") and "Traceback" not in reject.detail


@pytest.mark.corpus
def test_every_password_of_the_provenance_opens_its_file(corpus: Path) -> None:
    for name, candidates in passwords(corpus).items():
        path = corpus / "pdf" / name
        assert refused(path)[0] is RejectCode.ENCRYPTED
        assert refused(path, "wrong " + candidates[0])[0] is RejectCode.ENCRYPTED
        for password in candidates:
            assert statuses(read_pdf(source(path, password)))[0] is SegmentStatus.READ, (name, password)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "page_number", "reader", "words"),
    [
        ("lang__pj__XiaoBiaoSong.pdf", 1, "pypdfium2", "关 于 红 军 作 战 的 原 则"),  # pypdf: GBK shown as Latin-1
        ("lang__dl__right_to_left_01.pdf", 1, "pypdf", "تحسين الإنتاجية وحل المشكلات"),  # pdfium swaps lam and alef
        ("font__dp__duplicate_bold_text_01.pdf", 1, "pypdfium2", "51\nIN THE NAME OF ALLAH"),  # pypdf: all twice
        ("long__mu__mueller-report-vol-2.pdf", 6, "pypdfium2", "a confidential report explaining"),  # pypdf: no "fi"
        ("corrupt__bx__source.pdf", 1, "pypdfium2", ""),
        ("corrupt__qp__bad34.pdf", 1, "pypdf", "Potato"),  # pdfium cannot load the page
        ("corrupt__qp__issue-202.pdf", 10, "pypdfium2", ""),  # pypdf finds no root
        ("scanned__do__gov.uscourts.cand.203070.27.0.pdf", 1, "pypdf", "Case"),  # a stamp over a scan
    ],
)
def test_the_right_reader_is_chosen(corpus: Path, name: str, page_number: int, reader: str, words: str) -> None:
    document = read_pdf(source(corpus / "pdf" / name))
    assert document.segments[page_number - 1].reader == reader
    assert words in page_texts(document)[page_number - 1]


@pytest.mark.corpus
@pytest.mark.parametrize("prefer_pdfium", [False, True])
def test_parts_of_real_pdfs_make_the_same_document(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, prefer_pdfium: bool
) -> None:
    for module in (parts, pdf):
        monkeypatch.setattr(module, "PART_PAGES", 2)
    paths = [*(corpus / "pdf").glob("*__p[cp]__*.pdf"), *(corpus / "pdf").glob("lang__*.pdf")]
    for path in (path for path in paths if path.stat().st_size < 200_000):
        whole = source(path)
        assert in_parts(whole, prefer_pdfium) == read_source(whole, "pypdfium2" if prefer_pdfium else "pypdf"), path


GOLDEN_FILES = [
    "corrupt__derived__html_error_as_pdf.pdf",
    "corrupt__pj__Pages-tree-refs.pdf",
    "corrupt__qp__append-page-content-damaged.pdf",
    "encrypted__pj__issue6010_2.pdf",
    "encrypted__py__r6-both-passwords.pdf",
    "form__in__invoice.pdf",
    "lang__ca__twotables.pdf",
    "lang__dl__right_to_left_01.pdf",
    "lang__pj__XiaoBiaoSong.pdf",
    "long__deb__fhs-3.0.pdf",
    "multicolumn__pp__federal-register-2020-17221.pdf",
    "rotated__ca__rotated_page.pdf",
    "scanned__do__image-pdf.pdf",
    "scanned__oc__multipage.pdf",
    "text__do__ca1_00117684624.pdf",
    "zeropage__qp__empty.pdf",
]


@pytest.mark.corpus
@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_goldens(corpus: Path, name: str, rewrite_goldens: bool) -> None:
    path = corpus / "pdf" / name
    found = summary(read_source(source(path, passwords(corpus).get(name, [""])[0] or None)))
    golden = GOLDENS / f"{path.stem}.json"
    if rewrite_goldens:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(golden.read_text(encoding="utf-8"))


def summary(result: Document | Reject) -> dict[str, object]:
    """What a golden file holds: no text at length."""
    if isinstance(result, Reject):
        return {"code": result.code, "detail": result.detail}
    texts = page_texts(result)
    pages = [
        f"{segment.page_number} [{segment.page_label}] {segment.status} {segment.reader} {len(text)} {segment.detail}"
        for segment, text in zip(result.segments, texts, strict=True)
    ]
    return {
        "sha256": hashlib.sha256(result.text.encode()).hexdigest(),
        "n_chars": len(result.text),
        "pages": pages,
        "starts": [text[:80] for text in texts[:3]],
        "metadata": dict(result.metadata),
    }
