"""What the benchmarks run over: many small documents, one very long PDF, and a job with the rehearsal engine.

All of it is made here, the same each time: nothing is downloaded, and no model answers.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

_WORDS = """
the agreement of this party shall pay amount date notice term services supplier customer within thirty days after
receipt invoice delivery goods warranty liability termination written consent law court any each under section schedule
price currency interest late payment confidential information disclose purpose board meeting
"""
_SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": ["string", "null"], "maxLength": 60},
        "made_on": {"type": ["string", "null"], "format": "date"},
        "amount": {"type": "integer", "minimum": 0, "maximum": 99_999},
    },
    "required": ["title", "made_on", "amount"],
}
_JOB = """
name = "benchmark"
[input]
paths = {paths}
[[tasks]]
name = "facts"
instructions = "What is the title, the date and the amount?"
schema = "facts.json"
max_tokens = 400
[engine]
kind = "synthetic"
[journal]
max_answers = {flush}
[output]
folder = "out"
"""
_FOLDER_DOCUMENTS = 1000
_PAGE_LINES = 45
_SENTENCE_WORDS = 20
_SENTENCE_TOKENS = 21.6


def write_project(folder: Path, paths: list[str], n_documents: int) -> Path:
    """Write a job over these paths, its schema beside it; returns the job file. Its output folder is `out`.

    The journal is written every 1,000 answers, as it is without a word in the job, and at least twenty times a run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "facts.json").write_text(json.dumps(_SCHEMA), encoding="utf-8")
    job = folder / "job.toml"
    job.write_text(_JOB.format(paths=json.dumps(paths), flush=max(1, min(1000, n_documents // 20))), encoding="utf-8")
    return job


def write_documents(folder: Path, n_documents: int) -> None:
    """Write text files of one to six short paragraphs (100 to 2,500 characters), a thousand in a folder."""
    draw = random.Random(0)
    for number in range(n_documents):
        place = folder / f"{number // _FOLDER_DOCUMENTS:04d}"
        place.mkdir(parents=True, exist_ok=True)
        paragraphs = [_sentence(draw, draw.randint(15, 60)) for _ in range(draw.randint(1, 6))]
        text = f"Document {number}.\n\n" + "\n\n".join(paragraphs)
        (place / f"{number:06d}.txt").write_text(text, encoding="utf-8")


def write_pdf(path: Path, n_pages: int) -> None:
    """Write a PDF with 45 lines of text on each page, no two pages alike."""
    from reportlab.pdfgen.canvas import Canvas

    draw = random.Random(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = Canvas(str(path), pageCompression=1, invariant=1)
    for number in range(1, n_pages + 1):
        text = canvas.beginText(60, 780)
        text.setFont("Helvetica", 10)
        text.setLeading(15)
        text.textLine(f"Page {number} of {n_pages}")
        for _ in range(_PAGE_LINES):
            text.textLine(_sentence(draw, 12))
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()


def make_text(draw: random.Random, n_tokens: int) -> str:
    """Sentences in paragraphs, of about so many tokens of the embedded model."""
    sentences = [_sentence(draw, _SENTENCE_WORDS) for _ in range(max(1, round(n_tokens / _SENTENCE_TOKENS)))]
    return "\n\n".join(" ".join(sentences[at : at + 5]) for at in range(0, len(sentences), 5))


def _sentence(draw: random.Random, n_words: int) -> str:
    words = " ".join(draw.choices(_WORDS.split(), k=n_words))
    return f"{words[0].upper()}{words[1:]}."
