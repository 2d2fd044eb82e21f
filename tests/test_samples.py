"""The sample documents: what the script renders is what is committed, and a reader finds in them what they say."""

import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader

PROJECT = Path(__file__).parents[1]
SAMPLES = PROJECT / "examples" / "samples"
MARK = "SAMPLE - invented parties"
TEXT_PDFS = sorted(path for path in SAMPLES.glob("*/*.pdf") if path.stem not in {"scanned-amendment", "purchase-order"})
TRANSCRIPTS = sorted((SAMPLES / "meetings").iterdir())
MAX_TOTAL_BYTES = 300_000


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([sys.executable, SAMPLES / "render.py", folder], check=True, cwd=folder, capture_output=True)
    return folder


def test_rendering_again_gives_the_committed_bytes(rendered: Path) -> None:
    outputs = sorted(path.relative_to(rendered) for path in rendered.rglob("*.pdf"))
    n_sources = len(list((SAMPLES / "sources").glob("*.txt")))
    assert len(outputs) == n_sources
    for output in outputs:
        again, committed = (rendered / output).read_bytes(), (SAMPLES / output).read_bytes()
        assert again == committed, f"{output} differs from its source: run `make samples`"


def test_every_text_pdf_is_one_of_the_rendered(rendered: Path) -> None:
    assert [path.relative_to(SAMPLES) for path in TEXT_PDFS] == sorted(
        path.relative_to(rendered) for path in rendered.rglob("*.pdf") if path.stem != "scanned-amendment"
    )


def test_the_samples_are_small() -> None:
    sizes = {path: path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < MAX_TOTAL_BYTES, sizes


@pytest.mark.parametrize("path", TEXT_PDFS, ids=lambda path: path.stem)
def test_a_pdf_says_that_it_is_a_sample(path: Path) -> None:
    reader = PdfReader(path)
    assert reader.metadata is not None
    assert reader.metadata.subject == MARK
    assert MARK in reader.pages[0].extract_text()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_transcript_says_that_it_is_a_sample(path: Path) -> None:
    assert MARK in path.read_text(encoding="utf-8")


FACTS = {
    "service-agreement": ("Bakery Cleaning Agreement", "Harrow Lane Bakery Ltd", "£1,850", "30 June 2027"),
    "lease": ("Commercial Lease Agreement", "Quill & Anchor Books LLC", "$4,200 per month", "State of Oregon"),
    "nda": ("Mutual Non-Disclosure Agreement", "Fennimore Optics B.V.", "laws of Germany", "EUR 25,000"),
    "supply-agreement": ("Dairy Supply Agreement", "Northgate Grocers plc", "EUR 6,000,000", "law of Ireland"),
    "invoice": ("INV-2025-0831", "Harrow Lane Bakery Ltd", "£2,550.00", "Total due"),
    "termination-letter": ("Notice of Termination", "Martin Ostler", "7 December 2025", "clause 6.1"),
}


@pytest.mark.parametrize("path", TEXT_PDFS, ids=lambda path: path.stem)
def test_a_pdf_holds_its_facts(path: Path) -> None:
    text = " ".join(" ".join(page.extract_text() for page in PdfReader(path).pages).split())
    assert [fact for fact in FACTS[path.stem] if fact not in text] == []


def test_the_long_contract_numbers_its_front_pages_in_roman() -> None:
    reader = PdfReader(SAMPLES / "contracts" / "supply-agreement.pdf")
    assert reader.page_labels == ["i", "ii", *map(str, range(1, 10))]
    printed = [page.extract_text().split()[-2:] for page in reader.pages]
    assert printed == [["Page", label] for label in reader.page_labels]


def test_the_scan_is_a_picture_without_text() -> None:
    page = PdfReader(SAMPLES / "contracts" / "scanned-amendment.pdf").pages[0]
    assert page.extract_text() == ""
    assert len(page.images) == 1


def test_the_broken_order_is_no_pdf() -> None:
    content = (SAMPLES / "broken" / "purchase-order.pdf").read_bytes()
    assert content.startswith(b"<!DOCTYPE html>")
    assert MARK.encode() in content


def test_invented_addresses_cannot_exist() -> None:
    """RFC 2606 keeps the domain `.example` free for examples."""
    texts = [path.read_text(encoding="utf-8") for path in SAMPLES.rglob("*") if path.suffix in {".txt", ".vtt", ".srt"}]
    domains = {word.rstrip(".,;").rpartition("@")[2] for text in texts for word in text.split() if "@" in word}
    assert domains
    assert {domain for domain in domains if not domain.endswith(".example")} == set()
