"""What the children of test_pool run instead of a PDF reader: each source says what happens."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from pipeline.errors import Reject, RejectCode
from pipeline.readers.document import Document, Segment, SegmentKind
from pipeline.sources import Source

HEAVY = {"torch", "vllm", "pyarrow", "pandas", "numpy", "transformers", "typer", "rich", "pytest", "hypothesis"}


def act(source: Source) -> Document | Reject:
    verb, _, value = source.uri.partition(":")
    match verb:
        case "sleep":
            time.sleep(float(value))
        case "kill":
            os.kill(os.getpid(), int(value))
        case "exit":
            os._exit(int(value))
        case "segfault":
            ctypes.string_at(0)
        case "hog":
            _ = bytearray(int(value) << 20)
        case "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
            while True:
                pass
        case "print":
            print(value, flush=True)
            print(value, file=sys.stderr, flush=True)
        case "reject":
            return Reject(RejectCode.NO_TEXT, value, source.uri, source.doc_id)
        case "big":
            return document(source, "x" * int(value))
        case "started":
            Path(value).write_text(str(os.getpid()), encoding="ascii")
            time.sleep(600)
    return document(source, str(os.getpid()))


def modules(source: Source) -> Document:
    """The heavy modules the child has loaded, after it has really read the source."""
    from pipeline.readers.read import read_source

    assert isinstance(read_source(source), Document)
    return document(source, " ".join(sorted(HEAVY & sys.modules.keys())))


def document(source: Source, text: str) -> Document:
    segment = Segment(SegmentKind.PARAGRAPH, 0, len(text))
    return Document(source.doc_id, source.doc_key, source.uri, "text", text, (segment,))
