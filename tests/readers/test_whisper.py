"""JSON transcripts: every known shape gives its words, speakers and times; nothing hostile gets through."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RejectCode
from pipeline.readers.cues import Transcript
from pipeline.readers.document import SegmentKind, UnreadableError
from pipeline.readers.whisper import read_json, read_jsonl

Found = list[tuple[str, str | None, int | None, int | None]]


def found(transcript: Transcript) -> Found:
    assert not any(cue.problem for cue in transcript.cues)
    return [(cue.text, cue.speaker, cue.start_ms, cue.end_ms) for cue in transcript.cues]


WORDS = [
    {"start_time": "1.0", "end_time": "1.5", "alternatives": [{"content": "Well"}], "type": "pronunciation"},
    {"alternatives": [{"content": ","}], "type": "punctuation"},
    {"start_time": "1.6", "end_time": "2.0", "alternatives": [{"content": "yes"}], "type": "pronunciation"},
    {"start_time": "9.0", "end_time": "9.5", "alternatives": [{"content": "So"}], "type": "pronunciation"},
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"text": " A B", "segments": [{"start": 0.5, "end": 1.25, "text": " A B"}]}, [("A B", None, 500, 1250)]),
        (
            {"segments": [{"start": 0, "end": 1, "text": "A", "words": [{"word": "A", "speaker": "S1"}]}]},
            [("A", "S1", 0, 1000)],
        ),
        ({"transcription": [{"offsets": {"from": 5, "to": 7}, "text": " A"}]}, [("A", None, 5, 7)]),
        ({"chunks": [{"timestamp": [0.5, None], "text": "A"}]}, [("A", None, 500, None)]),
        ({"text": "Just text."}, [("Just text.", None, None, None)]),
        ({"segments": [], "text": "Just text."}, [("Just text.", None, None, None)]),
        (
            {"topic_list": [{"topic": "x"}], "meeting_transcripts": [{"speaker": "PM", "content": "Hi"}]},
            [("Hi", "PM", None, None)],
        ),
        ({"content": [{"kind": "x", "speaker": "None", "text": "  Mr. X. Hi"}]}, [("Mr. X. Hi", None, None, None)]),
        ({"results": {"items": WORDS}}, [("Well, yes", None, 1000, 2000), ("So", None, 9000, 9500)]),
        (
            {
                "words": [{"text": w, "start": i, "end": i + 1} for i, w in enumerate("abc")],
                "paragraphs": [{"start": 1, "end": 3, "speaker": "S"}, {"start": 2, "end": 3, "speaker": "T"}],
            },
            [("a b", "S", 0, 2000), ("c", "T", 2000, 3000)],
        ),
        ([{"text": "A b", "start": 1.5, "duration": 2}], [("A b", None, 1500, 3500)]),
        (
            {"utterances": [{"speaker": "A", "text": "Hi there", "start": 250, "end": 2250}]},
            [("Hi there", "A", 250, 2250)],
        ),
        (
            {"events": [{"tStartMs": 10, "dDurationMs": 5, "segs": [{"utf8": "A"}, {"utf8": " b"}]}]},
            [("A b", None, 10, 15)],
        ),
        ({"monologues": [{"speaker": 0, "elements": [{"value": "A"}, {"value": "."}]}]}, [("A.", "0", None, None)]),
        (
            {"messages": [{"from": "Ann", "date": "2020-01-01T00:00:02", "text": ["see ", {"text": "x"}]},
                          {"from": None, "from_id": 7, "date": "2020-01-01T00:00:01", "text": ""}]},
            [("see x", "Ann", 1000, None), ("", "7", 0, None)],
        ),
        ([{"name": "Ann", "utterance": "Hi", "time": "01:02:03.250"}], [("Hi", "Ann", 3_723_250, None)]),
        ([{"role": "user", "content": "Hi"}], [("Hi", "user", None, None)]),
        ([{"speaker": {"name": "Ann"}, "text": "Hi"}], [("Hi", "Ann", None, None)]),
    ],
)  # fmt: skip
def test_known_shapes(value: object, expected: Found) -> None:
    assert found(read_json(json.dumps(value))) == expected


def test_kinds_and_metadata() -> None:
    value = {
        "language": "en",
        "header": {"day": "28", "x": [1]},
        "segments": [{"text": "a", "start": 1}, {"text": "b", "speaker": "S"}, {"text": "c"}],
    }
    transcript = read_json(json.dumps(value))
    assert [cue.kind for cue in transcript.cues] == [SegmentKind.CUE, SegmentKind.TURN, SegmentKind.PARAGRAPH]
    assert transcript.metadata == (("language", "en"), ("header.day", "28"))


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("words", "it is a str, not an object"),
        (None, "it is a NoneType, not an object"),
        ({"start": 1}, "it has no text; its keys are start"),
        ({"text": "x", "start": 2, "end": 1}, "it ends (1000 ms) before it starts (2000 ms)"),
        ({"text": "x", "start": -1}, "its start '-1' is not a time"),
        ({"text": "x", "start": "soon"}, "its start 'soon' is not a time"),
        ({"text": "x", "start": True}, "its start 'True' is not a time"),
        ({"text": "x", "start": float("nan")}, "its start 'nan' is not a time"),
        ({"text": "x", "end": float("inf")}, "its end 'inf' is not a time"),
        ({"text": "x", "start": 10**400}, "its start 'inf' is not a time"),
    ],
)
def test_a_malformed_item_is_kept_with_its_json(item: object, problem: str) -> None:
    raw = json.dumps(item).replace(str(10**400), "9" * 401)
    cues = read_json(f'{{"segments": [{{"text": "before"}}, {raw}, {{"text": "after"}}]}}').cues
    assert [cue.text for cue in (cues[0], cues[2])] == ["before", "after"]
    assert cues[1].problem == f"Item 2: {problem}."
    assert cues[1].text.startswith(("{", '"', "null"))


def test_jsonl_keeps_bad_lines() -> None:
    cues = read_jsonl('{"text": "a"}\n\n{"text": \n[]\n' + "[" * 100_000 + '\n{"text": "b"}').cues
    assert [cue.text[:5] for cue in cues] == ["a", '{"tex', "[]", "[[[[[", "b"]
    assert [cue.problem.split(":")[0] for cue in cues] == ["", "Line 3", "Item 3", "Line 5", ""]


def test_jsonl_in_a_json_file_and_one_transcript_in_a_jsonl_file() -> None:
    assert read_json('{"text": "a"}\n{"text": "b"}').format == "jsonl"
    assert [bool(cue.problem) for cue in read_json('{"text": "a"}\nrest').cues] == [False, True]
    assert found(read_jsonl('{"segments": [{"text": "a", "start": 1}]}\n')) == [("a", None, 1000, None)]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('{"a": }', "line 1, column 7"),
        ("{}", "Found a JSON object with no keys."),
        ('{"a": 1, "b": 2}', "Found a JSON object with a, b."),
        ("[1, 2]", "Found a JSON list of 2 values"),
        ('"words"', "Found a JSON str."),
        ("[" * 100_000, "nested too deeply"),
        ('{"segments":' * 900 + "1" + "}" * 900, "Found a JSON object with segments"),
        ('{"segmentation": {"segments": [{"start": 0}]}}', "but no words"),
    ],
)
def test_what_is_no_transcript_is_refused(text: str, detail: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read_json(text)
    assert caught.value.code is RejectCode.MALFORMED_TRANSCRIPT
    assert detail in caught.value.detail


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["text", "segments", "words", "speaker", "start", "end", "timestamp", "offsets", "alternatives"]
                )
                | st.sampled_from(
                    ["paragraphs", "from", "to", "content", "duration", "type", "date", "results", "items"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_gives_cues_or_a_reject(value: object) -> None:
    try:
        cues = read_json(json.dumps(value)).cues
    except UnreadableError as error:
        assert error.code is RejectCode.MALFORMED_TRANSCRIPT
    else:
        assert cues
        assert all(cue.end_ms is None or cue.start_ms is None or cue.start_ms <= cue.end_ms for cue in cues)
