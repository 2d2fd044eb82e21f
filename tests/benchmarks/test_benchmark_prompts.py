import json
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

import prompts
import tokenizing

SCRIPT = Path(prompts.__file__)
SLEEP_S = 0.5


class Slow(prompts.Apart):
    def encode_batch(self, texts: Sequence[str]) -> "list[array[int]]":
        time.sleep(SLEEP_S)
        return super().encode_batch(texts)


def test_it_runs_in_a_tiny_size(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("The term is two years.\n" * 300)
    options = ["--characters", "6000", "--times", "1", "--out", str(tmp_path), "--corpus", str(tmp_path)]
    options += ["--tokenizers", tokenizing.EMBEDDED]
    done = subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr  # so little work may miss the goal
    shapes, *tokenizers = json.loads((tmp_path / "prompts.json").read_text())["comparisons"]
    assert [found["name"] for found in shapes["contenders"]][1:] == list(prompts.build_shapes(6000))
    assert len(tokenizers) == 1
    for found in tokenizers:
        assert [contender["name"] for contender in found["contenders"]] == ["one core", "all cores"]
        assert all(set(contender["figures"]) == set(tokenizing.SHAPES) for contender in found["contenders"])


def test_the_tokenizers_own_time_is_taken_off_and_nothing_else() -> None:
    slow = Slow(tokenizing.load(tokenizing.EMBEDDED))
    documents = prompts.build_shapes(100_000)["four documents of pages"]
    assert len(documents) == 4
    assert {document.segments[-1].page_number for document in documents} == {10}
    figures = prompts.assemble(slow, documents)
    assert figures["tokens a prompt"] > 3000
    seconds = 4 / figures["prompts/s"]
    assert 0 < seconds < SLEEP_S * len(documents)


def test_text_of_the_corpus_is_taken_in_order_and_made_where_there_is_none(tmp_path: Path) -> None:
    for name in ("b.txt", "a.vtt", "c.pdf"):
        (tmp_path / name).write_text(name[0] * 10)
    assert prompts.load_text(tmp_path, 15) == "a" * 10 + "b" * 5
    assert prompts.load_text(tmp_path / "absent", 500) == prompts.load_text(None, 500) != ""
