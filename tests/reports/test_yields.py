"""How much was found where, whatever order the answers come in."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.reports.yields import MOST_THIN, Part, TaskYield

PARTS = st.builds(
    Part,
    doc_id=st.sampled_from("abc"),
    chunk_index=st.integers(0, 9),
    part=st.sampled_from(["", "0", "1"]),
    first_page=st.sampled_from([None, 3]),
    last_page=st.just(4),
    n_segments=st.integers(0, 4),
    n_items=st.integers(0, 5),
)


def test_a_thin_page_shows() -> None:
    found = TaskYield()
    for page in range(1, 60):
        found.add(Part("d", page - 1, "", page, page, 1, 0 if page == 17 else 5))
    report = found.report()
    assert {name: value for name, value in report.items() if name != "thinnest"} == {
        "items": 290,
        "answers": 59,
        "answers_without_items": 1,
        "pages": 59,
        "segments": 59,
        "items_per_page": 4.915,
        "items_per_segment": 4.915,
    }
    assert len(found.thinnest) == MOST_THIN
    assert [part.first_page for part in found.thinnest][:3] == [17, 1, 2]
    assert report["thinnest"][0] == {  # type: ignore[index]
        "doc_id": "d",
        "chunk_index": 16,
        "part": "",
        "first_page": 17,
        "last_page": 17,
        "n_segments": 1,
        "n_items": 0,
    }


def test_nothing_gives_no_ratio() -> None:
    report = TaskYield().report()
    assert (report["items_per_page"], report["items_per_segment"], report["thinnest"]) == (None, None, [])


@given(st.lists(PARTS, max_size=40, unique_by=lambda part: (part.doc_id, part.chunk_index, part.part)), st.randoms())
def test_the_order_means_nothing(parts: list[Part], random: st.DataObject) -> None:
    one, other = TaskYield(), TaskYield()
    for part in parts:
        one.add(part)
    random.shuffle(parts)  # type: ignore[attr-defined]
    for part in parts:
        other.add(part)
    assert one == other
    assert one.n_items == sum(part.n_items for part in parts)
    assert one.thinnest == sorted(parts, key=lambda part: part.thinness)[:MOST_THIN]
