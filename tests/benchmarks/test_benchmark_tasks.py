from pathlib import Path

import tasks
from bare_prompts import load_asked
from bare_vllm import BarePrompt


def prompt(*ids: int) -> BarePrompt:
    return BarePrompt("key", list(ids), 8)


def test_the_question_moves_before_the_chunk() -> None:
    asked = [prompt(1, 2, 50, 51, 52, 7, 8, 99), prompt(1, 2, 50, 51, 52, 6, 99)]
    assert tasks.put_question_first(asked, 2) == [[1, 2, 7, 8, 50, 51, 52, 99], [1, 2, 6, 50, 51, 52, 99]]


def test_a_question_that_another_one_begins_with_loses_nothing() -> None:
    asked = [prompt(1, 50, 7, 99), prompt(1, 50, 7, 7, 99)]
    for before, after in zip(asked, tasks.put_question_first(asked, 1), strict=True):
        assert sorted(after) == sorted(before.token_ids)
        assert after[0] == 1
        assert after[-1] == 99


def test_the_chunk_has_to_be_computed_once() -> None:
    lines = [("a", 0, 256), ("a", 0, 0), ("a", 0, 128), ("b", 0, 0), ("b", 1, 7), ("b", 1, 9)]
    names = ("doc_id", "chunk_index", "n_cached_tokens")
    assert tasks.count_cached([dict(zip(names, line, strict=True)) for line in lines]) == [128, 256, 9]


def test_the_job_asks_each_question_of_each_chunk(tmp_path: Path) -> None:
    asked = load_asked(tasks.write_job(tmp_path / "job", 3, n_documents=2, n_tokens=1000))
    lengths = [len(each.token_ids) for each in asked.prompts]
    assert asked.n_documents == 2
    assert len(lengths) == 6
    assert all(900 < length < 1200 for length in lengths)
    first, second = asked.prompts[:3], asked.prompts[3:]
    for chunk in (first, second):
        shared = tasks._common([each.token_ids for each in chunk])
        assert shared > 900
    assert tasks._common([first[0].token_ids, second[0].token_ids]) < 60
