import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from reportlab.pdfgen.canvas import Canvas

from pipeline.errors import PipelineError, Reject, RejectCode
from pipeline.readers import pool
from pipeline.readers.document import Document, Segment, SegmentKind, SegmentStatus
from pipeline.readers.parts import PART_PAGES, Head, Part, PartRead, Task
from pipeline.readers.pdf_choice import Page
from pipeline.readers.pool import ReadingPool, ReadLimits, iter_documents
from pipeline.sources import Entry, Source, load_source

LIMITS = ReadLimits(timeout_s=60, memory_mb=256, n_workers=2)
HEAVY = {"torch", "vllm", "pyarrow", "pandas", "numpy", "transformers", "typer", "rich"}


def act(task: Task) -> Document | Reject | Head | PartRead:
    """What children read with here: the uri says what happens to them.

    A uri with "|" is a large document: before it stands how many seconds its parts take, after it what part 1 does.
    """
    source = task.source if isinstance(task, Part) else task
    seconds, is_large, deed = source.uri.partition("|")
    if isinstance(task, Part):
        return act_part(task, float(seconds), deed if task.pages.start == PART_PAGES else "")
    if is_large:
        return Head(3 * PART_PAGES, ("i",), (("Title", "Large"),))
    verb, _, value = source.uri.partition(":")
    if verb == "reject":
        return Reject(RejectCode.NO_TEXT, value, source.uri, source.doc_id)
    ACTS[verb](value)
    return document(source, "x" * int(value) if verb == "big" else str(os.getpid()))


def act_part(part: Part, seconds: float, deed: str) -> PartRead | Reject:
    time.sleep(seconds)
    verb, _, value = deed.partition(":")
    if verb == "reject":
        return Reject(RejectCode.SOURCE_UNREADABLE, value, part.source.uri, part.source.doc_id)
    if verb == "pypdf" and not part.pypdf_error:
        return PartRead((), float(value))
    if verb in ACTS:
        ACTS[verb](value)
    reader = f"without pypdf, {part.pypdf_error}" if part.pypdf_error else "both"
    open_s = float(value) if verb == "open" else 0.0
    return PartRead(tuple(Page(SegmentStatus.READ, str(index), reader) for index in part.pages), 0.1, open_s)


def hang(_: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    while True:
        pass


def chatter(text: str) -> None:
    print(text, flush=True)
    print(text, file=sys.stderr, flush=True)


def stay(mark: str) -> None:
    Path(mark).write_text(str(os.getpid()), encoding="ascii")
    time.sleep(600)


ACTS: dict[str, Callable[[str], object]] = {
    "big": str,
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "kill": lambda number: os.kill(os.getpid(), int(number)),
    "exit": lambda status: os._exit(int(status)),
    "segfault": lambda _: ctypes.string_at(0),
    "hog": lambda mib: bytearray(int(mib) << 20),
    "hang": hang,
    "print": chatter,
    "stay": stay,
}


def modules(task: Task) -> Document:
    """The heavy modules the child has loaded, after it has really read the source."""
    from pipeline.readers.read import read_task

    assert isinstance(task, Source)
    assert isinstance(read_task(task), Document)
    return document(task, " ".join(sorted(HEAVY & sys.modules.keys())))


def document(source: Source, text: str) -> Document:
    segment = Segment(SegmentKind.PARAGRAPH, 0, len(text))
    return Document(source.doc_id, source.doc_key, source.uri, "text", text, (segment,))


def source(uri: str, path: Path = Path("nowhere")) -> Source:
    return Source(uri=uri, path=path, doc_id=uri, sha256="0" * 64, size_bytes=0)


def run(*uris: str, limits: ReadLimits = LIMITS) -> dict[str, Document | Reject]:
    results = [(source.uri, result) for source, result in iter_documents(map(source, uris), limits, act)]
    assert Counter(uri for uri, _ in results) == Counter(uris), "each source exactly once"
    return dict(results)


def code(result: Document | Reject) -> RejectCode:
    assert isinstance(result, Reject), result
    assert result.detail.endswith("."), "a sentence"
    return result.code


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "pipeline.readers.child" in " ".join(child.cmdline())]


@pytest.fixture(autouse=True)
def no_child_stays() -> Iterator[None]:
    yield
    assert children() == []


def test_each_source_gives_its_result_once() -> None:
    results = run(*[f"sleep:{n / 1000}" for n in range(30)])
    assert len(results) == 30
    assert all(isinstance(result, Document) and result.uri == uri for uri, result in results.items())


def test_no_sources_start_no_child() -> None:
    assert run() == {}


def test_rejects_pass_through() -> None:
    assert run("reject:No.") == {"reject:No.": Reject(RejectCode.NO_TEXT, "No.", "reject:No.", "reject:No.")}


def test_results_larger_than_a_pipe() -> None:
    results = run("big:10000000", "big:5000000", "big:1")
    assert [len(result.text) for result in results.values() if isinstance(result, Document)] != []
    assert {len(result.text) for result in results.values() if isinstance(result, Document)} == {10000000, 5000000, 1}


def test_a_hang_costs_the_time_limit_and_one_document() -> None:
    start = time.monotonic()
    results = run("sleep:0", "hang:", "sleep:0.1", "sleep:0.2", limits=ReadLimits(1.0, 256, 2))
    assert time.monotonic() - start < 10
    assert code(results.pop("hang:")) is RejectCode.READ_TIMEOUT
    assert all(isinstance(result, Document) for result in results.values())


def test_waiting_for_the_consumer_is_not_reading_time() -> None:
    """A document read in time is good, however late its result is fetched."""
    results = []
    for n, (_, result) in enumerate(
        iter_documents(map(source, ["big:300000", "big:300001"]), ReadLimits(1.5, 256, 2), act)
    ):
        if n == 0:
            time.sleep(2)
        results.append(result)
    assert all(isinstance(result, Document) for result in results)


@pytest.mark.parametrize(
    ("uri", "word"),
    [
        ("kill:9", "SIGKILL"),
        ("segfault:", "SIGSEGV"),
        ("kill:6", "SIGABRT"),
        ("exit:3", "exit code 3"),
        ("exit:0", "exit code 0"),
    ],
)
def test_a_crash_costs_one_document(uri: str, word: str) -> None:
    results = run("sleep:0.01", "sleep:0.02", uri, "sleep:0.03", "sleep:0.04", limits=ReadLimits(60, 256, 1))
    crashed = results.pop(uri)
    assert code(crashed) is RejectCode.READER_CRASHED
    assert isinstance(crashed, Reject)
    assert word in crashed.detail
    assert all(isinstance(result, Document) for result in results.values())


def test_memory_over_the_limit_costs_one_document() -> None:
    results = run("hog:50", "hog:400", "hog:51", limits=ReadLimits(60, 256, 1))
    assert code(results.pop("hog:400")) is RejectCode.READ_MEMORY
    assert all(isinstance(result, Document) for result in results.values())


def test_a_child_that_dies_while_it_waits_loses_no_document() -> None:
    with ReadingPool(ReadLimits(60, 256, 1), act) as reading:
        for uri in ("sleep:0", "sleep:0.01"):
            reading.give(source(uri))
            while (taken := reading.take()) is None:
                pass
            assert isinstance(taken[1], Document)
            (child,) = children()
            child.kill()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def test_children_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    run("print:hello", "segfault:")
    assert capfd.readouterr() == ("", "")


def test_children_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "TASKS_PER_CHILD", 3)
    results = run(*[f"sleep:0.00{n}" for n in range(7)], limits=ReadLimits(60, 256, 1))
    pids = Counter(result.text for result in results.values() if isinstance(result, Document))
    assert sorted(pids.values()) == [1, 3, 3]


def test_sources_are_taken_as_they_are_needed() -> None:
    n_taken = worst = 0

    def endless() -> Iterator[Source]:
        nonlocal n_taken
        while True:
            n_taken += 1
            yield source("sleep:0")

    documents = iter_documents(endless(), LIMITS, act)
    for n_given in range(1, 60):
        time.sleep(0.01)  # slower than the children
        next(documents)
        worst = max(worst, n_taken - n_given)
    documents.close()  # type: ignore[attr-defined]
    assert worst <= 2 * 2


def test_closing_stops_the_children_at_once() -> None:
    documents = iter_documents(map(source, ["sleep:0", "hang:", "hang:"]), LIMITS, act)
    next(documents)
    start = time.monotonic()
    documents.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 2
    assert children() == []


def test_an_error_in_the_sources_stops_the_children() -> None:
    def broken() -> Iterator[Source]:
        yield source("hang:")
        raise LookupError

    with pytest.raises(LookupError):
        list(iter_documents(broken(), LIMITS, act))
    assert children() == []


def test_a_child_that_cannot_start_stops_the_job_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act, "__module__", "absent_module")
    with pytest.raises(PipelineError, match="absent_module"):
        run("sleep:0")


def test_children_load_what_reading_needs_and_nothing_heavy(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.drawString(72, 72, "Hello")
    canvas.save()
    hashed = load_source(Entry("a.pdf", str(tmp_path / "a.pdf"), "a"), set())
    assert isinstance(hashed, Source)
    ((_, result),) = iter_documents([hashed], LIMITS, modules)
    assert isinstance(result, Document)
    assert result.text == ""


# A large document, read in parts


def test_a_large_document_comes_out_once_with_its_pages_in_order() -> None:
    results = run("0.01|", "sleep:0.01", "0.02|")
    for uri in ("0.01|", "0.02|"):
        large = results[uri]
        assert isinstance(large, Document)
        assert large.text.split() == [str(index) for index in range(3 * PART_PAGES)]
        assert [segment.page_number for segment in large.segments] == list(range(1, 3 * PART_PAGES + 1))
        assert large.segments[0].page_label == "i"
        assert large.metadata == (("Title", "Large"),)


@pytest.mark.parametrize(
    ("deed", "lost_by"),
    [
        ("kill:9", RejectCode.READER_CRASHED),
        ("exit:0", RejectCode.READER_CRASHED),
        ("hog:400", RejectCode.READ_MEMORY),
        ("reject:The file was changed.", RejectCode.SOURCE_UNREADABLE),
    ],
)
@pytest.mark.parametrize("n_workers", [1, 3])
def test_one_part_loses_the_document_once_and_nothing_else(deed: str, lost_by: RejectCode, n_workers: int) -> None:
    uri = f"0.01|{deed}"
    results = run("sleep:0.01", uri, "0.01|", "sleep:0.02", limits=ReadLimits(60, 256, n_workers))
    assert code(results.pop(uri)) is lost_by
    assert all(isinstance(result, Document) for result in results.values())


def test_a_hang_in_a_part_costs_the_time_limit_and_frees_the_other_children() -> None:
    start = time.monotonic()
    results = run("0.1|hang:", "sleep:0.01", "0.01|", limits=ReadLimits(2.0, 256, 2))
    assert time.monotonic() - start < 12
    hung = results.pop("0.1|hang:")
    assert code(hung) is RejectCode.READ_TIMEOUT
    assert isinstance(hung, Reject)
    assert hung.detail == "Reading took more than 2 s."
    assert all(isinstance(result, Document) for result in results.values())


def test_the_parts_seconds_are_summed() -> None:
    """Three parts of 0.5 s are too much for 1.2 s, however many children read at the same time."""
    for n_workers in (1, 4):
        results = run("0.5|", limits=ReadLimits(1.2, 256, n_workers))
        assert code(results["0.5|"]) is RejectCode.READ_TIMEOUT


def test_opening_the_file_once_more_counts_for_nobody() -> None:
    """Else a document would be lost where many children read it, and not where one does."""
    assert isinstance(run("0.5|open:0.5", limits=ReadLimits(1.3, 256, 1))["0.5|open:0.5"], Document)


def test_pypdfs_time_is_summed_and_then_all_parts_are_read_without_it() -> None:
    for seconds in ("19.9", "inf"):
        large = run(f"0.01|pypdf:{seconds}")[f"0.01|pypdf:{seconds}"]
        assert isinstance(large, Document)
        assert {segment.reader for segment in large.segments} == {"without pypdf, pypdf has used up its 20 s"}
        assert len(large.segments) == 3 * PART_PAGES


def test_a_large_document_holds_up_no_other() -> None:
    """Of two children one goes on with what else there is, while the other reads parts."""
    sources = map(source, ["0.4|", *[f"sleep:0.00{n}" for n in range(1, 8)]])
    order = [done.uri for done, _ in iter_documents(sources, LIMITS, act)]
    assert order[-1] == "0.4|"


def test_all_children_read_parts_when_nothing_else_is_to_do() -> None:
    start = time.monotonic()
    run("1.5|", limits=ReadLimits(60, 256, 3))
    assert time.monotonic() - start < 3.9, "three parts of 1.5 s, at the same time"


PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
import test_pool
from pipeline.readers.pool import ReadLimits, iter_documents
from pipeline.sources import Source
sources = [Source("stay:" + name, Path("x"), name, "0" * 64, 0) for name in sys.argv[1:]]
for _ in iter_documents(sources, ReadLimits(600, 256, 2), test_pool.act):
    pass
"""


def start_parent(tmp_path: Path) -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
    """A script without a main guard that reads two documents which take ten minutes."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(folder=str(Path(__file__).parent)), encoding="utf-8")
    marks = [tmp_path / "one", tmp_path / "two"]
    parent = subprocess.Popen(
        [sys.executable, str(script), *map(str, marks)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
    )
    deadline = time.monotonic() + 60
    while not all(mark.exists() and mark.read_text() for mark in marks):
        if parent.poll() is not None or time.monotonic() > deadline:
            parent.kill()
            pytest.fail(f"the parent did not start its children: {parent.communicate()}")
        time.sleep(0.05)
    return parent, [psutil.Process(int(mark.read_text())) for mark in marks]


def test_children_die_with_their_parent(tmp_path: Path) -> None:
    parent, readers = start_parent(tmp_path)
    parent.kill()
    parent.communicate()
    _, alive = psutil.wait_procs(readers, timeout=5)
    assert alive == []


def test_ctrl_c_shows_one_traceback_the_parents(tmp_path: Path) -> None:
    parent, readers = start_parent(tmp_path)
    os.killpg(parent.pid, signal.SIGINT)  # what a terminal does
    stdout, stderr = parent.communicate(timeout=10)
    assert stdout == b""
    assert stderr.count(b"Traceback") == 1
    assert parent.returncode == -signal.SIGINT
    _, alive = psutil.wait_procs(readers, timeout=5)
    assert alive == []


@pytest.mark.parametrize("limits", [{"timeout_s": 0}, {"timeout_s": float("nan")}, {"memory_mb": 1}, {"n_workers": 0}])
def test_limits_nothing_can_be_read_within_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ReadLimits(**limits)  # type: ignore[arg-type]
