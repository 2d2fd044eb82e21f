from pathlib import Path

from made_pdf import long_pdf
from reading import compare_readers, find_pdfs


def test_all_readers_read_the_same_pages(tmp_path: Path) -> None:
    for name, content in (("pdf/a.pdf", long_pdf(3, 2)), ("cuad/x/b.PDF", long_pdf(70, 2)), ("pdf/c.pdf", b"no PDF")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    paths = find_pdfs(tmp_path)
    assert [path.name for path in paths] == ["b.PDF", "a.pdf", "c.pdf"]
    comparison = compare_readers("Made", paths, 1, (0.001, None))
    assert [figures["pages"] for figures in comparison.rounds[0].values()] == [73] * 4
    assert list(comparison.missed()) == []
