"""The door: which endings are read, every reject it gives, the tiling of any bytes, and all real files."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import RejectCode
from pipeline.readers.document import Document, SegmentStatus, UnreadableError
from pipeline.readers.transcript import EXTENSIONS, read_transcript
from pipeline.sources import Source

GOLDENS = Path(__file__).parents[1] / "goldens" / "transcripts"
GOLDEN_FILES = [
    "bitcoin/2022-08-11-gloria-zhao.md",
    "bitcoin/onboarding-bitcoin-and-lightning-developers.md",
    "bitcoin_l10n/2014-10-08-andreas-antonopolous-canada-senate-bitcoin.es.md",
    "cdown-srt/gb2312.srt",
    "chat_exports/telegram_channel.json",
    "chat_exports/whatsapp_chat.txt",
    "congress_record/CREC-1997-01-28-pt1-PgS757.json",
    "congress_record_htm/CREC-2005-07-20-pt1-PgS8536.htm",
    "court/opinion_text.txt",
    "docling-vtt/webvtt_example_01.vtt",
    "mantas-subtitles/vtt_with_multiple_new_lines.vtt",
    "pycaption/example.srt",
    "qmsum/Committee/train/education_1.json",
    "qmsum/Product/train/ES2003c.json",
    "stt_json/bbc-kaldi/sample/bbcKaldiSpeakerSegments.sample.json",
    "stt_json/subtitles-generator/words-list.sample.json",
    "vttjs/integration/cycle-collector-talk.vtt",
    "webvtt-py/invalid_timeframe.sbv",
    "webvtt-py/missing_timeframe.srt",
    "webvtt-py/netflix_chicas_del_cable.vtt",
]

# What readers look for, to be joined in any order.
PIECES = [
    *(
        "WEBVTT",
        "\n",
        "\n\n",
        " ",
        "00:01.000",
        " --> ",
        "00:02,5",
        "1",
        "Ann: hi",
        "<v Bob>",
        "</v>",
        "&amp;",
        "NOTE x",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        '"text"',
        ":",
        ",",
        '"',
        "0:00:01.0,0:00:02.0",
        "---",
        "# h",
        "\r",
        "\\ud800",
        "null",
        "1e999",
    ),
    *('"start"', '{"text":"a"}', '{"text":"a","start":NaN}', "<p>", "\x00", "\ufeff", "- ", "\u3000", "\x85", "\u2028"),
]


def read(path: Path) -> Document:
    return read_transcript(Source(str(path), path, "doc", "0" * 64, path.stat().st_size))


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def outcome(path: Path) -> dict[str, object]:
    """What a reader of the golden file compares: no text at length."""
    try:
        document = read(path)
    except UnreadableError as error:
        return {"code": error.code.value, "detail": error.detail}
    return {
        "format": document.format,
        "metadata": [[name, value[:60]] for name, value in document.metadata[:8]],
        "text_sha256": hashlib.sha256(document.text.encode()).hexdigest(),
        "n_characters": len(document.text),
        "n_segments": len(document.segments),
        "statuses": dict(sorted(Counter(segment.status.value for segment in document.segments).items())),
        "speakers": dict(sorted(Counter(s.speaker for s in document.segments if s.speaker).items())),
        "malformed": [segment.detail for segment in document.segments if segment.detail],
        "first": [
            [s.kind.value, s.start_ms, s.end_ms, s.speaker, document.text[s.start : s.end][:60]]
            for s in document.segments[:3]
        ],
    }


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.docx", b"PK\x03\x04", RejectCode.UNSUPPORTED_FORMAT),
        ("a.ass", b"[Script Info]", RejectCode.UNSUPPORTED_FORMAT),
        ("a.ttml", b"<tt/>", RejectCode.UNSUPPORTED_FORMAT),
        ("a.mp3", b"ID3", RejectCode.UNSUPPORTED_FORMAT),
        ("a.xyz", b"?", RejectCode.UNSUPPORTED_FORMAT),
        ("noending", b"text", RejectCode.UNSUPPORTED_FORMAT),
        ("a.vtt", b"", RejectCode.EMPTY_FILE),
        ("a.txt", b" \n\t\n", RejectCode.NO_TEXT),
        ("a.txt", b"\xff\xfe", RejectCode.NO_TEXT),
        ("a.vtt", b"WEBVTT\n\nNOTE nothing\n", RejectCode.NO_TEXT),
        ("a.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\n\n", RejectCode.NO_TEXT),
        ("a.md", b"---\ntitle: T\n---\n", RejectCode.NO_TEXT),
        ("a.json", b'{"segments": [{"text": ""}], "text": " "}', RejectCode.MALFORMED_TRANSCRIPT),
        ("a.vtt", b"WEBVTT\n\nno timing\n", RejectCode.MALFORMED_TRANSCRIPT),
        ("a.srt", b"1\n00:00:01,000\nhello\n", RejectCode.MALFORMED_TRANSCRIPT),
        ("a.json", b'{"invoice": 7}', RejectCode.MALFORMED_TRANSCRIPT),
        ("a.vtt", b"<!DOCTYPE html><p>Not found</p>", RejectCode.WRONG_CONTENT),
        ("a.vtt", b"anything else", RejectCode.WRONG_CONTENT),
        ("a.txt", b"%PDF-1.7\n", RejectCode.WRONG_CONTENT),
        ("a.srt", b"PK\x03\x04zip", RejectCode.WRONG_CONTENT),
        ("a.txt", bytes(range(256)) * 8, RejectCode.BAD_ENCODING),
    ],
)
def test_every_reject_has_its_code_and_a_sentence(tmp_path: Path, name: str, data: bytes, code: RejectCode) -> None:
    path = write(tmp_path, name, data)
    with pytest.raises(UnreadableError) as caught:
        read(path)
    assert caught.value.code is code
    assert caught.value.detail.endswith((".", "...", ")."))
    assert "{" not in caught.value.detail


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_transcript(Source("a.vtt", tmp_path / "a.vtt", "doc", "0" * 64, 1))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.TXT", "WEBVTT\n\n00:01.000 --> 00:02.000\nHi", "webvtt"),
        ("a.txt", "1\n00:00:01,000 --> 00:00:02,000\nHi", "srt"),
        ("a.srt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHi", "webvtt"),
        ("a.vtt", "00:01.000 --> 00:02.000\nHi", "webvtt"),
        ("a.sbv", "0:00:01.000,0:00:02.000\nHi", "sbv"),
        ("a.txt", "Hello there.\n\nTwo.", "text"),
        ("a.markdown", "# Hi\n", "markdown"),
        ("a.html", "<title>T</title><p>Hi &amp; bye</p>", "text"),
        ("a.ndjson", '{"text": "Hi"}\n{"text": "Ho"}\n', "jsonl"),
    ],
)
def test_format_follows_the_content_where_it_is_plain(tmp_path: Path, name: str, data: str, expected: str) -> None:
    document = read(write(tmp_path, name, data))
    assert document.format == expected
    assert {segment.reader for segment in document.segments} == {expected}


def test_a_page_loses_its_markup_and_keeps_its_words(tmp_path: Path) -> None:
    head = "<head><title>T &amp; U</title><style>p{}</style></head>"
    page = f"<html>{head}<!-- no --><body><pre>\nA &lt; B\n  x</pre></body></html>"
    document = read(write(tmp_path, "a.htm", page))
    assert document.text.split() == ["A", "<", "B", "x"]
    assert ("title", "T & U") in document.metadata


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(lambda text: text.encode("utf-8", errors="surrogatepass")),
        st.lists(
            st.sampled_from(PIECES),
            max_size=25,
        ).map(lambda parts: "".join(parts).encode()),
    ),
    suffix=st.sampled_from(sorted(EXTENSIONS)),
)
def test_any_bytes_give_a_tiled_document_or_a_reject(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = write(tmp_path, "any" + suffix, data)
    try:
        document = read(path)
    except UnreadableError as error:
        assert error.detail
        return
    assert any(segment.status is SegmentStatus.READ for segment in document.segments)
    for segment in document.segments:
        own = document.text[segment.start : segment.end]
        assert bool(own.strip()) == (segment.status is not SegmentStatus.EMPTY)
        assert bool(segment.detail) == (segment.status is SegmentStatus.MALFORMED)
        assert segment.start_ms is None or segment.end_ms is None or segment.start_ms <= segment.end_ms
    written = "".join([document.text, *(part for pair in document.metadata for part in pair)])
    written.encode("utf-8")
    assert not any(character < " " and character not in "\n\t" for character in written)


@pytest.mark.corpus
@pytest.mark.parametrize("name", GOLDEN_FILES)
def test_goldens(corpus: Path, rewrite_goldens: bool, name: str) -> None:
    found = outcome(corpus / "transcripts" / name)
    golden = GOLDENS / (name.replace("/", "__") + ".golden.json")
    if rewrite_goldens:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(golden.read_text(encoding="utf-8"))


@pytest.mark.corpus
def test_every_real_file_is_read_or_rejected_with_a_sentence(corpus: Path) -> None:
    paths = [p for p in sorted((corpus / "transcripts").rglob("*")) if p.is_file()]
    paths += sorted((corpus / "cuad" / "full_contract_txt").iterdir())
    codes: Counter[str] = Counter()
    for path in paths:
        try:
            document = read(path)
        except UnreadableError as error:
            codes[error.code.value] += 1
            assert error.detail.endswith((".", "...")), f"{path}: {error.detail}"
            supported = path.suffix.lower() in EXTENSIONS
            assert supported == (error.code is not RejectCode.UNSUPPORTED_FORMAT), path
        else:
            codes["read"] += 1
            assert document.text.strip()
    assert len(paths) > 300
    assert codes["read"] > 250
    assert not codes[RejectCode.BAD_ENCODING.value]


@pytest.mark.corpus
def test_contracts_are_not_taken_for_conversations(corpus: Path) -> None:
    for path in sorted((corpus / "cuad" / "full_contract_txt").glob("*.txt")):
        document = read(path)
        assert document.format == "text", path
        assert document.text.split() == path.read_text(encoding="utf-8-sig").split()
