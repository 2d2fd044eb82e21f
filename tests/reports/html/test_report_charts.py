from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.reports.html.charts import HEIGHT, WIDTH, build_histogram, build_shares, build_strip, build_timeline

VALUES = st.lists(st.one_of(st.integers(0, 10**7), st.floats(0, 1e6)), min_size=1)


@settings(deadline=None)
@given(VALUES)
def test_a_histogram_counts_every_value_once_and_stays_in_its_drawing(values: list[float]) -> None:
    picture = build_histogram(values, "tokens", "documents")
    assert picture is not None
    assert sum(int(bar.title.split()[0].replace(",", "")) for bar in picture.bars) == len(values)
    for bar in picture.bars:
        assert bar.x >= -0.01
        assert bar.x + bar.width <= WIDTH + 0.01
        assert 0 < bar.height <= HEIGHT
        assert bar.y + bar.height == HEIGHT


def test_a_histogram_of_nothing_is_none_and_of_zeros_is_one_bar() -> None:
    assert build_histogram([], "tokens", "documents") is None
    zeros = build_histogram([0, 0], "items", "answers")
    assert zeros is not None
    assert [bar.title for bar in zeros.bars] == ["2 answers of 0 to 1 items"]


def test_values_of_many_orders_share_a_picture() -> None:
    picture = build_histogram([100, 150, 100_000], "tokens", "documents")
    assert picture is not None
    assert [bar.title for bar in picture.bars] == [
        "1 document of 0 to 128 tokens",
        "1 document of 128 to 256 tokens",
        "1 document of 65.5K to 131K tokens",
    ]


def test_shares_tile_the_line() -> None:
    shares = build_shares([("a", "", "x", 1), ("b", "", "y", 0), ("c", "", "z", 3)])
    assert [(one.bar.x, one.bar.width, one.percent) for one in shares] == [
        (0, WIDTH / 4, "25 %"),
        (WIDTH / 4, 0, "0 %"),
        (WIDTH / 4, WIDTH * 3 / 4, "75 %"),
    ]
    assert [one.bar.width for one in build_shares([("a", "", "x", 0)])] == [0]


def test_moments_stand_in_the_order_in_which_they_came() -> None:
    steps = build_timeline({"engine_ready": 4.0, "planned": 1.0})
    assert [(step.name, step.bar.x) for step in steps] == [("planned", 0), ("engine ready", WIDTH / 4)]
    assert build_timeline({}) == []


def test_a_strip_of_a_long_document_has_few_cells_and_loses_no_cited_page() -> None:
    names = [f"Page {number}" for number in range(1, 2416)]
    cells = build_strip(["read"] * 2415, frozenset({7, 2414}), names)
    assert len(cells) <= 120
    assert [(cell.look, cell.href) for cell in cells if cell.look == "cited"] == [("cited", "#s7"), ("cited", "#s2414")]
    assert cells[0].title == "Page 1 to Page 21: 1 of 21 cited"
    short = build_strip(["read", "image_only", "read"], frozenset({0}), names)
    assert [cell.title for cell in short] == ["Page 1: cited", "Page 2: no text", "Page 3: never cited"]
    assert build_strip([], frozenset(), []) == []
