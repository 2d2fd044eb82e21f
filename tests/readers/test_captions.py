"""WebVTT, SRT and SBV: what is written comes back exactly, and what is wrong is kept with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RejectCode
from pipeline.readers.captions import read_sbv, read_srt, read_webvtt, sniff_captions
from pipeline.readers.cues import Cue
from pipeline.readers.cuetext import split_voices
from pipeline.readers.document import UnreadableError

# Words without what would begin another cue, a label or markup; lines are never blank.
_line = st.from_regex(r"[a-z0-9àé漢.,!?'][a-z0-9àé漢.,!? ']{0,18}[a-z.!?]", fullmatch=True)
_cues = st.lists(
    st.tuples(
        st.integers(0, 99 * 3_600_000),
        st.integers(0, 10_000_000),
        st.none() | st.sampled_from(["Ann", "Dr. Bo O'Hara", "Zoë & Co", "李"]),
        st.lists(_line, min_size=1, max_size=3).map("\n".join),
    ),
    min_size=1,
    max_size=12,
)


def stamp(ms: int, comma: str = ".") -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{comma}{ms % 1000:03}"


def plain(cues: tuple[Cue, ...]) -> list[tuple[int | None, int | None, str | None, str]]:
    assert not any(cue.problem for cue in cues)
    return [(cue.start_ms, cue.end_ms, cue.speaker, cue.text) for cue in cues]


@given(
    _cues,
    st.sampled_from(["", "id\n", "7\n"]),
    st.sampled_from([" --> ", "\t-->\t"]),
    st.sampled_from(["", " align:start"]),
)
def test_webvtt_comes_back_exactly(
    cues: list[tuple[int, int, str | None, str]], name: str, arrow: str, setting: str
) -> None:
    blocks = [
        name + stamp(start) + arrow + stamp(start + length) + setting + "\n"
        + (f"<v {speaker.replace('&', '&amp;')}>{text}</v>" if speaker else text)
        for start, length, speaker, text in cues
    ]  # fmt: skip
    transcript = read_webvtt("WEBVTT - title\nLanguage: en\n\n" + "\n\n".join(blocks) + "\n")
    assert plain(transcript.cues) == [(start, start + length, who, text) for start, length, who, text in cues]
    assert transcript.metadata == (("header", "title"), ("language", "en"))


@given(_cues, st.sampled_from([",", "."]), st.booleans(), st.sampled_from(["\n\n", "\n\n\n", "\n \n"]))
def test_srt_comes_back_exactly(
    cues: list[tuple[int, int, str | None, str]], comma: str, numbered: bool, gap: str
) -> None:
    blocks = [
        (f"{index}\n" if numbered else "") + f"{stamp(start, comma)} --> {stamp(start + length, comma)}\n{text}"
        for index, (start, length, _, text) in enumerate(cues, start=1)
    ]
    found = plain(read_srt(gap.join(blocks)).cues)
    assert found == [(start, start + length, None, text) for start, length, _, text in cues]


@given(_cues)
def test_srt_without_blank_lines_comes_back_exactly(cues: list[tuple[int, int, str | None, str]]) -> None:
    blocks = [
        f"{index}\n{stamp(start, ',')} --> {stamp(start + length, ',')}\nx{text}"
        for index, (start, length, _, text) in enumerate(cues, start=1)
    ]
    found = plain(read_srt("\n".join(blocks)).cues)
    assert found == [(start, start + length, None, f"x{text}") for start, length, _, text in cues]


@given(_cues)
def test_sbv_comes_back_exactly(cues: list[tuple[int, int, str | None, str]]) -> None:
    text = "\n\n".join(f"{stamp(start)},{stamp(start + length)}\n{words}" for start, length, _, words in cues)
    found = plain(read_sbv(text).cues)
    assert found == [(start, start + length, None, words) for start, length, _, words in cues]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("00:01.000 -> 00:02.000\nHi", "two times, but not written as"),
        ("00:01.000 00:02.000\nHi", "two times, but not written as"),
        ("lost words\nmore", "no timing line before"),
        ("00:0x.000 --> 00:02.000\nHi", "is not of the form"),
        ("00:01.000 --> 00:02:\nHi", "is not of the form"),
        ("00:61.000 --> 00:62.000\nHi", "more than 59"),
        ("00:02.000 --> 00:01.000\nHi", "ends before it starts"),
        ("some words\nand more\n00:0x --> 1\nHi", "no timing line before"),
    ],
)
def test_a_malformed_cue_is_kept_with_its_lines_and_its_neighbours(block: str, problem: str) -> None:
    good = "00:00.000 --> 00:01.000\nbefore"
    cues = read_webvtt(f"WEBVTT\n\n{good}\n\n{block}\n\n00:09.000 --> 00:10.000\nafter").cues
    bad = [cue for cue in cues if cue.problem]
    assert problem in bad[0].problem
    assert bad[0].problem.startswith("Line 6: ")
    assert "\n".join(cue.text for cue in bad) == block
    assert [cue.text for cue in cues if not cue.problem] == ["before", "after"]


def test_srt_keeps_a_number_without_timing_and_words_before_a_timing() -> None:
    cues = read_srt("1\n00:00:01,000 --> 00:00:02,000\nA\n\n2\nB\n\nC\n00:00:03,000 --> 00:00:04,000\nD --> E").cues
    assert [(cue.text, bool(cue.problem)) for cue in cues] == [
        ("A", False),
        ("2\nB", True),
        ("C", True),
        ("D --> E", False),
    ]


def test_times_are_read_where_their_meaning_is_plain() -> None:
    text = "WEBVTT\n\n1:02:03,5 --> 100:00:00.000\nA\n\n0:00.000 --> 59:59.999line:0\nB\n\n00:01 --> 00:02\nC"
    assert [(cue.start_ms, cue.end_ms) for cue in read_webvtt(text).cues] == [
        (3_723_500, 360_000_000),
        (0, 3_599_999),
        (1000, 2000),
    ]


def test_webvtt_blocks_that_hold_no_words() -> None:
    text = (
        "WEBVTT\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:a\n\nNOTE one\ntwo\n\nNOTE\n\n"
        "00:01.000 --> 00:02.000\nHi\n\nNOTES are words\n\n00:03.000 --> 00:04.000\n\nSTYLE\nlate"
    )
    transcript = read_webvtt(text)
    assert transcript.metadata == (("kind", "captions"), ("note", "one\ntwo"), ("note", ""))
    assert [(cue.text, bool(cue.problem)) for cue in transcript.cues] == [
        ("Hi", False),
        ("NOTES are words", True),
        ("", False),
        ("STYLE\nlate", True),
    ]


def test_a_header_may_be_missing_but_not_everything() -> None:
    assert ("webvtt_header", "missing") in read_webvtt("garbage\n\n00:01.000 --> 00:02.000\nHi").metadata
    assert read_webvtt("\n\tWEBVTT\n\n00:01.000 --> 00:02.000\nHi").metadata == ()
    with pytest.raises(UnreadableError) as caught:
        read_webvtt("WEBVTTX\n\nHi")
    assert caught.value.code is RejectCode.WRONG_CONTENT


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("<v Ann>Hi</v>", [("Ann", "Hi")]),
        ("<v.loud.first Ann Lee> Hi", [("Ann Lee", "Hi")]),
        ("<v Ann>Hi</v> [door] <v Bo>Ho", [("Ann", "Hi"), (None, "[door]"), ("Bo", "Ho")]),
        ("<v Ann>Hi</v>\n<v Ann>there</v>", [("Ann", "Hi"), ("Ann", "there")]),
        ("<v Ann></v>", [("Ann", "")]),
        ("", [(None, "")]),
        ("<b>a</b> <i.x>b</i> <u>c</u> <c.red>d</c> <lang en-GB>e</lang>", [(None, "a b c d e")]),
        ("<ruby>漢<rt>kan</rt></ruby>", [(None, "漢kan")]),
        ("one <00:00:01.000>two<00:02.500> three", [(None, "one two three")]),
        ('<font color="#fff">x</font><br/>y', [(None, "x\ny")]),
        ("a &lt;b&gt; &amp;amp; &nbsp;&lrm;c&#233;", [(None, "a <b> &amp; \xa0\u200ecé")]),
        ("AT&T &am&amp; R&D", [(None, "AT&T &am& R&D")]),
        ("a < b and c > d", [(None, "a < b and c > d")]),
        ("<v It's a tree!", [(None, "<v It's a tree!")]),
        ("<c.first That's it!</c>", [(None, "<c.first That's it!")]),
        ("<laughs> <video x>", [(None, "<laughs> <video x>")]),
    ],
)
def test_cue_markup(payload: str, expected: list[tuple[str | None, str]]) -> None:
    assert split_voices(payload) == expected


def test_labels_at_the_head_of_captions() -> None:
    words = ["MAN 2:\nHello.", "- ANN: Hi.\n- BOB: Ho.", "12:30 is late", ">> BOB: So.", "Note: this", "no label"]
    text = "\n\n".join(f"00:00:0{index},000 --> 00:00:09,000\n{line}" for index, line in enumerate(words))
    cues = read_srt(text).cues
    assert [cue.speaker for cue in cues] == ["MAN 2", None, None, "BOB", None, None]
    assert [cue.text for cue in cues] == words


def test_mixed_case_labels_need_company() -> None:
    def names(*words: str) -> list[str | None]:
        text = "\n\n".join(f"00:00.000 --> 00:09.000\n{line}" for line in words)
        return [cue.speaker for cue in read_webvtt("WEBVTT\n\n" + text).cues]

    assert names("Ann Lee: Hi.", "Bo: Ho.", "Ann Lee: So.", "Bo: No.") == ["Ann Lee", "Bo", "Ann Lee", "Bo"]
    assert names("Remember: buy milk.", "yes", "no", "maybe") == [None] * 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WEBVTT", "webvtt"),
        ("\n\n1\n00:00:01,000 --> 00:00:02,000\nx", "srt"),
        ("0:00:01.000,0:00:02.000\nx", "sbv"),
        ("WEBVTTs are files\nthat --> hold captions", None),
        ("", None),
    ],
)
def test_sniffing(text: str, expected: str | None) -> None:
    assert sniff_captions(text) == expected
