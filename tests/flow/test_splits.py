"""Chunks that are asked again as halves: what is recorded, reused, resumed and retried, run by run."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from project import Project
from scripted import ScriptedEngine

from pipeline.engines.engine import FinishReason, Generation
from pipeline.errors import RejectCode
from pipeline.flow import plan
from pipeline.flow.options import RetryRejects, RunOptions
from pipeline.prompts.prompt import Prompt
from pipeline.tables.current import list_runs

CUT = ("engine.synthetic.truncated_ratio=0.6", "retries.max_attempts=2")
SLOW = ("engine.synthetic.latency_s=0.01", "engine.synthetic.n_parallel=2", "journal.max_answers=1")
RETRY = RunOptions(retry=RetryRejects())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, "a", "b", "c")


def n_of(report: dict[str, Any], name: str) -> int:
    found: int = report["counts"][name]
    return found


def paid(report: dict[str, Any]) -> int:
    return n_of(report, "attempts") - n_of(report, "reused")


def test_halves_tile_what_was_split_and_each_stands_in_a_recorded_state(project: Project) -> None:
    report = project.run(*CUT)
    responses = project.rows("responses")
    last = {(line["doc_id"], line["chunk_index"], line["task"], line["part"]): line for line in responses}
    split = {place: line for place, line in last.items() if line["status"] == "split"}
    assert len(split) == report["answers"]["split"] > 3
    assert report["answers"]["parts"] == 2 * len(split)
    for (doc_id, index, task, part), line in split.items():
        first, second = (last[doc_id, index, task, part + half] for half in "01")
        assert (first["start"], first["end"], second["end"]) == (line["start"], second["start"], line["end"])
        assert line["finish_reason"] == "length"
    parts = {place for place in last if place[3]}
    assert parts == {(*place[:3], place[3] + half) for place in split for half in "01"}
    assert {line["status"] for place, line in last.items() if place not in split} <= {"record", "truncated"}
    assert len({line["prompt_id"] for line in responses}) == len(last)


def test_a_rerun_finds_every_half_and_asks_nothing(project: Project) -> None:
    first = project.run(*CUT)
    before = [project.rows(table) for table in ("records/first", "responses", "rejects")]
    schema = json.loads((project.folder / "first.json").read_text())
    schema["not"] = {"properties": {"amount": {"const": 100}}}
    (project.folder / "first.json").write_text(json.dumps(schema))
    again = project.run(*CUT)
    assert again["why"] == {"stale": 3}
    assert paid(again) == 0
    assert again["answers"] == first["answers"]
    for old, new in zip(before, (project.rows(t) for t in ("records/first", "responses", "rejects")), strict=True):
        assert [without_job(line) for line in old] == [without_job(line) for line in new]


def without_job(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "_job_fingerprint"}


@pytest.mark.parametrize("stop_after", [3, 15])
def test_a_run_stopped_among_halves_goes_on_there(project: Project, tmp_path: Path, stop_after: int) -> None:
    stopped = project.run(*CUT, *SLOW, stop_after=stop_after)
    assert stopped["exit_code"] == 75
    last = project.run(*CUT)
    fresh = Project(tmp_path / "fresh", "a", "b", "c")
    whole = fresh.run(*CUT)
    assert paid(stopped) + paid(last) == paid(whole), "no answer was paid for twice"
    for table in ("records/first", "records/second", "responses", "rejects"):
        got, expected = ([str(without_job(line)) for line in one.rows(table)] for one in (project, fresh))
        assert sorted(got) == sorted(expected)


def test_a_run_killed_among_halves_goes_on_there(project: Project, tmp_path: Path) -> None:
    ratio = "truncated_ratio = 0.6, latency_s = 0.05, n_parallel = 2"
    project.change('kind = "synthetic"', f'kind = "synthetic"\nsynthetic = {{ {ratio} }}')
    project.change("[output]", "[journal]\nmax_answers = 1\n[output]")
    command = [sys.executable, "-m", "pipeline", "run", str(project.folder / "job.toml")]
    answers = project.out / "journal" / "answers"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        end_s = time.monotonic() + 60
        while time.monotonic() < end_s and len(list(answers.glob("*.parquet"))) < 20:
            time.sleep(0.02)
        running.kill()
    assert not list_runs(project.out)
    last = project.run()
    fresh = Project(tmp_path / "fresh", "a", "b", "c")
    (fresh.folder / "job.toml").write_text((project.folder / "job.toml").read_text())
    whole = fresh.run()
    assert n_of(last, "reused") >= 20
    assert n_of(last, "attempts") == n_of(whole, "attempts") == paid(whole)
    for table in ("records/first", "records/second", "responses", "rejects"):
        assert project.rows(table) == fresh.rows(table)


def test_a_retry_asks_the_lost_parts_and_no_others(project: Project) -> None:
    lossy = ("engine.synthetic.truncated_ratio=0.6", "retries.max_attempts=1", "retries.max_splits=1")
    project.run(*lossy)
    lost = {(r["doc_id"], r["chunk_index"], r["task"], r["part"]) for r in project.rows("rejects") if r["part"]}
    assert lost
    responses = {(line["prompt_id"], line["attempt"]) for line in project.rows("responses")}
    report = project.run(*lossy, options=RETRY)
    new = [line for line in project.rows("responses") if (line["prompt_id"], line["attempt"]) not in responses]
    assert {(line["doc_id"], line["chunk_index"], line["task"], line["part"]) for line in new} >= lost
    assert all(line["attempt"] == 1 and line["part"] for line in new)
    assert len(new) == paid(report) == len(lost)
    for _ in range(9):
        project.run(*lossy, options=RETRY)
    assert project.rows("rejects") == []


def test_without_splits_a_cut_answer_is_lost(project: Project) -> None:
    report = project.run(*CUT, "retries.max_splits=0")
    assert (report["answers"]["split"], report["answers"]["parts"]) == (0, 0)
    assert report["rejects"]["truncated"] > 0


def test_chunks_answered_counts_only_those_without_any_reject(project: Project) -> None:
    project.run("engine.synthetic.truncated_ratio=0.7", "retries.max_attempts=1", "retries.max_splits=1")
    lost = {(line["doc_id"], line["chunk_index"]) for line in project.rows("rejects") if line["task"] == "first"}
    n_lost = Counter(doc_id for doc_id, index in lost if index is not None)
    for row in project.rows():
        assert row["_n_chunks_answered"] == row["_n_chunks"] - n_lost[row["_doc_id"]]
    assert any(n_lost.values())


# What a chosen answer leads to

Answer = Callable[[Prompt], Generation]
LIST = {
    "type": "object",
    "properties": {
        "names": {"type": "array", "items": {"type": "string", "maxLength": 9}, "x-count-first": True},
        "note": {"type": ["string", "null"], "maxLength": 20, "not": {"const": "wrong"}},
    },
    "required": ["names", "note"],
}


@pytest.fixture
def scripted(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Prompt]]:
    """Run the project with an engine whose answers are a function of the prompt; gives what was asked."""
    job = (project.folder / "job.toml").read_text()
    second = job.index("[[tasks]]", job.index("[[tasks]]") + 1)
    one_task = job[:second].replace("max_tokens = 200", "max_tokens = 500")
    (project.folder / "job.toml").write_text(one_task + job[job.index("[engine]") :])
    (project.folder / "first.json").write_text(json.dumps(LIST))
    for name in "bc":
        (project.folder / "in" / f"{name}.txt").unlink()

    def run(answer: Answer, *overrides: str, **options: Any) -> list[Prompt]:
        asked: list[Prompt] = []

        def note(prompt: Prompt) -> Generation:
            asked.append(prompt)
            return answer(prompt)

        monkeypatch.setattr(plan, "open_engine", lambda kind, settings, recording: ScriptedEngine(note))
        project.report = project.run("chunking.max_tokens=1000", *overrides, **options)  # type: ignore[attr-defined]
        return asked

    return run


def say(*names: str, note: str | None = None, count: int | None = None) -> Generation:
    text = json.dumps({"_n_names": len(names) if count is None else count, "names": names, "note": note})
    return Generation("", text, FinishReason.STOP)


def tries(prompts: list[Prompt]) -> list[tuple[str, int]]:
    return [(prompt.part, prompt.attempt) for prompt in prompts]


def test_a_reason_is_said_to_the_model_and_replaced(
    project: Project, scripted: Callable[..., list[Prompt]], smollm_decode: Callable[[Sequence[int]], str]
) -> None:
    answers = ['{"names": 5}', '{"_n_names": 0, "names": [], "note": "wrong"}', '{"names": [], "note": null}']
    asked = scripted(lambda prompt: Generation("", answers[prompt.attempt], FinishReason.STOP))
    said = [smollm_decode(prompt.token_ids) for prompt in asked]
    words = "An earlier answer was not accepted: "
    assert tries(asked) == [("", 0), ("", 1), ("", 2)]
    assert [text.count(words) for text in said] == [0, 1, 1]
    assert words + "at /: 'note' is a required property." in said[1] or 'found 5, expected type "array"' in said[1]
    assert f'{words}at /note: found "wrong", expected not {{"const": "wrong"}}. Answer again' in said[2]
    assert asked[0].temperature is None
    assert [prompt.temperature for prompt in asked[1:]] == [0.3, 0.6]
    assert project.rows()[0]["names"] == []


@pytest.fixture(scope="session")
def smollm_decode() -> Callable[[Sequence[int]], str]:
    from pipeline.models import resolve_model
    from pipeline.prompts.tokenizers import load_tokenizer

    return load_tokenizer("hf", resolve_model("smollm2-135m-instruct", Path()).path).decode


def test_a_cut_answer_gets_twice_the_room_then_halves(project: Project, scripted: Callable[..., list[Prompt]]) -> None:
    def answer(prompt: Prompt) -> Generation:
        if prompt.part:
            return say(prompt.part)
        return Generation("", '{"_n_names": 9, "names": ["x", "y', FinishReason.LENGTH, n_output_tokens=200)

    asked = scripted(answer)
    assert tries(asked) == [("", 0), ("", 1), ("", 2), ("0", 0), ("1", 0)]
    assert [prompt.max_tokens for prompt in asked] == [500, 1000, 2000, 500, 500]
    assert len({prompt.decoder_schema for prompt in asked}) == 3
    assert project.rows()[0]["names"] == ["0", "1"]
    assert [line["status"] for line in project.rows("responses")] == [*["truncated"] * 2, "split", *["record"] * 2]
    assert project.rows("rejects") == []


def test_what_is_kept_in_the_end_is_the_best_of_all_attempts(
    project: Project, scripted: Callable[..., list[Prompt]]
) -> None:
    answers = [
        Generation("", '{"_n_names": 3, "names": ["one", "two", "th', FinishReason.LENGTH, n_output_tokens=9),
        Generation("", '{"_n_names": 3, "names": ["one", "t', FinishReason.LENGTH, n_output_tokens=9),
        Generation("", "nothing", FinishReason.STOP),
    ]
    scripted(lambda prompt: answers[prompt.attempt], "retries.max_splits=0")
    assert project.rows()[0]["names"] == ["one", "two"]
    (reject,) = project.rows("rejects")
    assert (reject["code"], reject["part"]) == ("salvaged", "")
    assert reject["detail"].startswith("the answer was cut after 9 tokens (max_tokens is 500)")
    assert reject["detail"].endswith("(after 3 attempts)")
    assert [line["status"] for line in project.rows("responses")] == ["salvaged", "truncated", "invalid_json"]
    assert [line["n_items"] for line in project.rows("responses")] == [2, None, None]
    assert project.rows()[0]["_n_chunks_answered"] == 0
    report = project.report  # type: ignore[attr-defined]
    assert (report["counts"]["records"], report["counts"]["rejected_answers"]) == (1, 0)
    assert report["answers"]["salvaged"] == 1


def test_a_short_list_is_split_down_to_its_pieces_and_kept_with_a_word(
    project: Project, scripted: Callable[..., list[Prompt]]
) -> None:
    asked = scripted(lambda prompt: say(prompt.part or "all", count=5), "retries.max_attempts=2")
    last = project.rows("rejects")
    assert {reject["code"] for reject in last} == {"list_short"}
    assert sorted(reject["part"] for reject in last) == sorted(project.rows()[0]["names"])
    assert {reject["detail"] for reject in last} == {"/names has 1 of 5 items (after 2 attempts)"}
    assert len(last) == 9, "as many as paragraphs"
    assert tries(asked).count(("", 1)) == 0, "split at once"
    (found,) = project.report["yield"].values()  # type: ignore[attr-defined]
    assert (found["items"], found["segments"], found["items_per_segment"]) == (9, 9, 1.0)


def test_a_full_share_is_split_and_kept(project: Project, scripted: Callable[..., list[Prompt]]) -> None:
    def full(prompt: Prompt) -> Generation:
        most = json.loads(prompt.decoder_schema)["properties"]["names"]["maxItems"]
        return say(*(f"{prompt.part}.{number}" for number in range(most)))

    asked = scripted(full, "retries.max_attempts=2", "retries.max_splits=1")
    assert tries(asked) == [("", 0), ("", 1), ("0", 0), ("1", 0), ("0", 1), ("1", 1)]
    assert {reject["code"] for reject in project.rows("rejects")} == {"limit_reached"}
    most = json.loads(asked[-1].decoder_schema)["properties"]["names"]["maxItems"]
    assert len(project.rows()[0]["names"]) == 2 * most
    assert asked[-1].max_tokens == 1000


def test_a_retry_of_what_was_kept_gives_the_rest(project: Project, scripted: Callable[..., list[Prompt]]) -> None:
    once = ("retries.max_attempts=1", "retries.max_splits=0")
    scripted(lambda prompt: say("one", count=2), *once)
    assert project.rows()[0]["names"] == ["one"]
    only = RunOptions(retry=RetryRejects(frozenset({RejectCode.TRUNCATED})))
    assert scripted(lambda prompt: say("one", "two"), *once, options=only) == []
    asked = scripted(lambda prompt: say("one", "two"), *once, options=RETRY)
    assert [(prompt.attempt, prompt.temperature) for prompt in asked] == [(1, 0.3)]
    assert project.rows()[0]["names"] == ["one", "two"]
    assert project.rows("rejects") == []
    assert len(list_runs(project.out)) == 3


def test_a_grown_attempt_that_is_refused_is_split(project: Project, scripted: Callable[..., list[Prompt]]) -> None:
    def answer(prompt: Prompt) -> Generation:
        if prompt.attempt:
            return Generation("", "", FinishReason.REFUSED, error="no such grammar")
        return say(prompt.part) if prompt.part else Generation("", "{", FinishReason.LENGTH, n_output_tokens=9)

    assert tries(scripted(answer)) == [("", 0), ("", 1), ("0", 0), ("1", 0)]
    assert project.rows()[0]["names"] == ["0", "1"]
