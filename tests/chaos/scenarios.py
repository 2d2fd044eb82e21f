"""What the runs of the chaos tests are about: a project with small documents, and an engine that may go wrong.

The documents are always the same: what a scenario's run does to the disk, and which prompts meet with misfortune, can
be found out once and holds for every round.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from made_pdf import raw_pdf

DUPLICATE, MISSING = "text-003.txt", "missing.txt"
_WORDS = ("river", "stone", "market", "bridge", "lamp", "copper", "winter", "harbour", "letter", "window", "garden")

_JOB = """
name = "chaos"
input.manifest = "manifest.csv"
output.folder = "out"
chunking.max_tokens = 90
generation.max_tokens = 200

[[tasks]]
name = "parties"
instructions = "Who signed, and when?"
schema = "parties.json"

[[tasks]]
name = "items"
instructions = "What was delivered?"
schema = "items.json"

[journal]
max_answers = {max_answers}
max_seconds = {max_seconds}

[engine]
kind = "{engine}"
stall_timeout_s = {stall_timeout_s}

[engine.synthetic]
latency_s = 0.04
n_parallel = 8
truncated_ratio = 0.06
invalid_ratio = 0.08
{misfortune}
"""

_PARTIES = {
    "type": "object",
    "properties": {
        "buyer": {"type": ["string", "null"], "maxLength": 30},
        "signed": {"type": ["string", "null"], "format": "date"},
    },
    "required": ["buyer", "signed"],
    "additionalProperties": False,
}
_ITEMS = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {
                    "what": {"type": "string", "maxLength": 20},
                    "n": {"type": "integer", "minimum": 0, "maximum": 99},
                },
                "required": ["what", "n"],
                "additionalProperties": False,
            },
        },
        "place": {"enum": ["harbour", "market", None]},
    },
    "required": ["items", "place"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """How much there is to do, how the engine behaves, and when the journal is written.

    Attributes:
        name: For people, and for the seed.
        misfortune: Shares of prompts that the synthetic engine does not survive, as lines of its section.
        max_answers: Of the journal.
        max_seconds: Of the journal.
        engine: Who answers.
        stall_timeout_s: Of the engine.
        n_documents: Texts, transcripts and PDFs; some bad files and a duplicate come with them.
    """

    name: str
    misfortune: str = ""
    max_answers: int = 10
    max_seconds: float = 0.3
    engine: str = "synthetic"
    stall_timeout_s: float = 2.0
    n_documents: tuple[int, int, int] = (36, 16, 12)

    @property
    def is_calm(self) -> bool:
        """Whether the engine does not die by itself."""
        return not self.misfortune


PLAIN = Scenario("plain")
SECONDS = Scenario("seconds", max_answers=1000, max_seconds=0.2)
DEATHS = Scenario("deaths", "death_ratio = 0.0075\nhang_ratio = 0.0075")
POISON = Scenario("poison", "poison_ratio = 0.006")
REAL = Scenario("real", max_answers=4, max_seconds=30, engine="vllm", stall_timeout_s=300, n_documents=(5, 2, 1))


def make_project(folder: Path, scenario: Scenario) -> None:
    """Write the job, its schemas, its manifest and the documents."""
    folder.mkdir(parents=True)
    chance = Random(20)  # what the documents say, and so which prompts are drawn to fail, hangs on it
    names = [*_write_documents(folder, scenario.n_documents, chance), *_write_bad_files(folder), MISSING]
    chance.shuffle(names)
    names.append(DUPLICATE)
    lines = [f"{name},{name},{number % 3}" for number, name in enumerate(names)]
    (folder / "manifest.csv").write_text("\n".join(["uri,doc_id,shelf", *lines]) + "\n")
    (folder / "parties.json").write_text(json.dumps(_PARTIES))
    (folder / "items.json").write_text(json.dumps(_ITEMS))
    (folder / "job.toml").write_text(_JOB.format(**asdict(scenario)))


def listed_sources(folder: Path) -> list[tuple[str, int]]:
    """Each source of a project as (doc_id, occurrence)."""
    names = [line.split(",")[1] for line in (folder / "manifest.csv").read_text().splitlines()[1:]]
    return [(name, names[:number].count(name)) for number, name in enumerate(names)]


def _write_documents(folder: Path, n_documents: tuple[int, int, int], chance: Random) -> list[str]:
    names = []
    n_texts, n_transcripts, n_pdfs = n_documents
    for number in range(n_texts):
        names.append(f"text-{number:03}.txt")
        paragraphs = [_sentences(chance, 2) for _ in range(chance.randint(1, 9))]
        (folder / names[-1]).write_text("\n\n".join(paragraphs))
    for number in range(n_transcripts):
        names.append(f"talk-{number:03}.vtt")
        (folder / names[-1]).write_text("WEBVTT\n\n" + "\n".join(_cues(chance, chance.randint(3, 12))))
    for number in range(n_pdfs):
        names.append(f"paper-{number:03}.pdf")
        lines = b"".join(b"(%s) ' " % _sentences(chance, 1).encode() for _ in range(chance.randint(2, 8)))
        (folder / names[-1]).write_bytes(raw_pdf(b"BT /F1 10 Tf 40 760 Td 12 TL " + lines + b"ET"))
    return names


def _write_bad_files(folder: Path) -> list[str]:
    files = {
        "empty.txt": b"",
        "page.pdf": b"<html><body>Not found</body></html>",
        "image.pdf": raw_pdf(b""),
        "letter.docx": b"PK\x03\x04" + bytes(100),
        "noise.txt": bytes(range(1, 32)) * 50,
        "weather.json": b'{"weather": "fine"}',
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return list(files)


def _sentences(chance: Random, n: int) -> str:
    return " ".join(
        " ".join(chance.choices(_WORDS, k=12)).capitalize() + f" {chance.randrange(10**6)}." for _ in range(n)
    )


def _cues(chance: Random, n: int) -> list[str]:
    cue = "00:{0:02}:00.000 --> 00:{0:02}:30.000\n<v {1}>{2}\n"
    return [cue.format(minute, chance.choice(["Ann", "Ben"]), _sentences(chance, 1)) for minute in range(n)]
