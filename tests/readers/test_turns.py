"""Speaker labels, paragraphs and front matter: what is believed, and that no character is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.cues import Transcript
from pipeline.readers.document import SegmentKind
from pipeline.readers.turns import read_text


def speakers(transcript: Transcript) -> list[tuple[str | None, int | None]]:
    return [(cue.speaker, cue.start_ms) for cue in transcript.cues]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Alice: Hi.", "Bob: Ho.", "Alice: Bye.", "Bob: Bye."], [("Alice", None), ("Bob", None)] * 2),
        (
            ["ALICE (00:12:03): Hi.", "[00:14:03] Bob: Ho.", "00:15:00 Al: Yes.", "Al [16:01]: No."],
            [("ALICE", 723000), ("Bob", 843000), ("Al", 900000), ("Al", 961000)],
        ),
        (
            ["Alice Smith: 00:00:15", "Bob: 00:01:00", "Dr. Lee: 01:02:03.5"],
            [("Alice Smith", 15000), ("Bob", 60000), ("Dr. Lee", 3723500)],
        ),
        (
            ["Alice Smith  0:03", "Bob  1:00", "Alice Smith  (1:05)"],
            [("Alice Smith", 3000), ("Bob", 60000), ("Alice Smith", 65000)],
        ),
        (["**Ann:** Hi.", "**Bo**: Ho.", "**Ann:** Hi.", "**Bo**: Ho."], [("Ann", None), ("Bo", None)] * 2),
        (["Q: Did you?", "A: I did.", "Q: When?", "A: Then."], [("Q", None), ("A", None)] * 2),
        (["问\uff1a谁?", "答\uff1a我.", "问\uff1a谁?", "答\uff1a我."], [("问", None), ("答", None)] * 2),
        (
            [
                "[8/15/23, 9:12:33 AM] Dr. Feather: hello",
                "[8/15/23, 9:13:15 AM] Jane: hi",
                "15/08/2023, 09:14 - Jane: oh",
            ]
            * 2,
            [("Dr. Feather", None), ("Jane", None), ("Jane", None)] * 2,
        ),
        (
            [
                "  Mr. McCAIN. I rise.",
                "  The PRESIDENT pro tempore. So ordered.",
                "  Ms. JACKSON-LEE of Texas. Thank you.",
            ],
            [("Mr. McCAIN", None), ("The PRESIDENT pro tempore", None), ("Ms. JACKSON-LEE of Texas", None)],
        ),
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_labels_give_turns(lines: list[str], expected: list[tuple[str | None, int | None]], gap: str) -> None:
    text = gap.join(lines)
    transcript = read_text(text, markdown=False)
    assert transcript.format == "turns"
    assert speakers(transcript) == expected
    assert "".join(cue.text for cue in transcript.cues) == text


@pytest.mark.parametrize(
    "text",
    [
        "Name: A. Smith\nTitle: CEO\nDate: 1 May\n\nName: B. Jones\nTitle: CFO\nDate: 2 May",
        "See https://a.example/b\nSee https://a.example/c\nhttps: x\nhttps: y\nhttps: z",
        "There are two things: first.\n\nThere are two things: second.\n\nNote: third.",
        "One: a.\n\nTwo: b.",
        "Seller: S.\nSeller: S.\nSeller: S.\n" + "\n\nA paragraph of the contract." * 40,
    ],
)
def test_what_is_no_conversation_stays_text(text: str) -> None:
    assert read_text(text, markdown=False).format == "text"


def test_a_name_seen_once_in_a_conversation_is_a_speaker() -> None:
    turns = [
        "Moderator: Welcome.",
        "Ann: Hi.",
        "Bo: Ho.",
        "Ann: Hi.",
        "Bo: Ho.",
        "Guest Two: Me too.",
        "and then: none.",
    ]
    text = "\n\n".join(turns)
    assert [name for name, _ in speakers(read_text(text, markdown=False))] == [
        "Moderator",
        "Ann",
        "Bo",
        "Ann",
        "Bo",
        "Guest Two",
    ]


def test_paragraphs_end_with_their_blank_lines() -> None:
    transcript = read_text("\n\nOne\nline.\n \n\nTwo.\n\n", markdown=False)
    assert [cue.text for cue in transcript.cues] == ["\n\nOne\nline.\n \n\n", "Two.\n\n"]
    assert {cue.kind for cue in transcript.cues} == {SegmentKind.PARAGRAPH}


def test_headings_end_a_turn_in_markdown_only() -> None:
    text = "Ann: Hi.\nBo: Ho.\nAnn: Hi.\n\n## Next\n\nBo: Ho.\n"
    assert [cue.speaker for cue in read_text(text, markdown=True).cues] == ["Ann", "Bo", "Ann", None, "Bo"]
    assert [cue.speaker for cue in read_text(text, markdown=False).cues] == ["Ann", "Bo", "Ann", "Bo"]


def test_front_matter_becomes_metadata() -> None:
    entries = "title: 'A: B'\ndate: 2020-02-07\nspeakers:\n  - Ann\n  - Bo\ntags: ['x', 'y']\nmore: {a: [1]}\nnone:\n"
    transcript = read_text(f"---\n{entries}---\nWords.\n", markdown=True)
    assert transcript.metadata == (
        ("title", "A: B"),
        ("date", "2020-02-07"),
        ("speakers", "Ann, Bo"),
        ("tags", "x, y"),
        ("more", '{"a": ["1"]}'),
        ("none", ""),
    )
    assert [cue.text for cue in transcript.cues] == ["Words.\n"]


@pytest.mark.parametrize(
    "text",
    [
        "---\n- a\n- list\n---\nWords.\n",
        "---\ntitle: [open\n---\nWords.\n",
        "---\na: &a [x]\nb: *a\n---\nWords.\n",
        "---\n" + "[" * 5000 + "\n---\nWords.\n",
        "---\nnever closed\n",
        "---\ntitle: x\n---- not closed\n",
        "---\n" + "a: b\n" * 20000 + "---\nWords.\n",
    ],
)
def test_what_is_no_front_matter_stays_in_the_text(text: str) -> None:
    transcript = read_text(text, markdown=True)
    assert "".join(cue.text for cue in transcript.cues) == text


@given(
    st.lists(
        st.sampled_from(
            ["Ann: hi", "Bo Li (1:02): x", "", " ", "# head", "Mr. SMITH. I", "word", "[0:01] Ann: y", "Note: z", "\t"]
        ),
        max_size=30,
    ),
    st.booleans(),
)
def test_no_character_is_lost(lines: list[str], markdown: bool) -> None:
    text = "\n".join(lines)
    assert "".join(cue.text for cue in read_text(text, markdown=markdown).cues) == text
