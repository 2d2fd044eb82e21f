import json
from pathlib import Path

import bare_prompts
import overhead
import overhead_work
import pyarrow.parquet as pq
import pytest
import run_batch
from bare_prompts import Asked, load_asked, run_pipeline
from bare_vllm import BarePrompt, BareWork, run_bare

N_DOCUMENTS = 6


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return overhead_work.write_made(tmp_path_factory.mktemp("overhead") / "made", N_DOCUMENTS)


@pytest.fixture(scope="module")
def asked(job: Path) -> Asked:
    return load_asked(job)


def test_the_prompts_are_those_that_a_run_asks(job: Path, asked: Asked) -> None:
    (report,) = (job.parent / "rehearsal" / "runs").glob("*.json")
    counts = json.loads(report.read_text())
    assert asked.n_documents == counts["counts"]["documents"] == N_DOCUMENTS
    assert len(asked.prompts) == counts["counts"]["prompts"] == N_DOCUMENTS
    assert sum(len(prompt.token_ids) for prompt in asked.prompts) == counts["tokens"]["prompts"]
    responses = pq.read_table(job.parent / "rehearsal" / "responses", columns=["n_prompt_tokens"])
    assert sorted(len(prompt.token_ids) for prompt in asked.prompts) == sorted(responses[0].to_pylist())


def test_the_lengths_are_spread(asked: Asked) -> None:
    lengths = [len(prompt.token_ids) for prompt in asked.prompts]
    assert min(lengths) < 160
    assert 2500 < max(lengths) < 3200
    assert len({prompt.key for prompt in asked.prompts}) == N_DOCUMENTS


def test_the_chat_is_the_prompt(job: Path, asked: Asked) -> None:
    texts = {path.read_text() for path in (job.parent / "in").iterdir()}
    for prompt in asked.prompts:
        system, user = prompt.messages
        assert (system["role"], user["role"]) == ("system", "user")
        assert any(text in user["content"] for text in texts)
        assert user["content"].endswith("amount (a whole number).")


def test_a_text_that_is_no_chat_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no chat in the embedded model's format: 'user"):
        bare_prompts._chat("user\nDocument:\nhello\nassistant\n")


def test_the_engine_is_told_the_same(asked: Asked) -> None:
    assert asked.arguments["kv_cache_memory_bytes"] == 2 << 30
    assert asked.arguments["structured_outputs_config"] == {"backend": "guidance"}
    assert Path(asked.arguments["model"], "config.json").is_file()


def test_the_work_is_the_same_each_time(job: Path, tmp_path: Path) -> None:
    again = overhead_work.write_made(tmp_path / "again", N_DOCUMENTS)
    names = sorted(path.name for path in (job.parent / "in").iterdir())
    assert len(names) == N_DOCUMENTS
    assert all((job.parent / "in" / n).read_bytes() == (again.parent / "in" / n).read_bytes() for n in names)


def test_the_shortest_real_documents_are_chosen(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    (corpus / "cuad").mkdir(parents=True)
    for number in range(4):
        (corpus / "cuad" / f"{number}.txt").write_text(f"Document {number}." + " And so on." * (9 - number))
    (corpus / "cuad" / "copy.txt").write_bytes((corpus / "cuad" / "3.txt").read_bytes())
    (corpus / "cuad" / "large.txt").write_text("word " * 100_001)
    (corpus / "cuad" / "empty.txt").write_text("")
    job = overhead_work.write_real(tmp_path / "real", corpus, 3)
    lines = (job.parent / "files.csv").read_text().split()
    assert [Path(line).name for line in lines] == ["uri", "3.txt", "2.txt", "1.txt"]
    assert len((job.parent / "all" / "files.csv").read_text().split()) == 1 + 6
    asked = load_asked(job)
    assert (asked.n_documents, len({prompt.key for prompt in asked.prompts})) == (3, 3)


def test_no_text_is_chosen_twice() -> None:
    documents = [(3, "long", "c c c"), (1, "b", "x"), (1, "a", "x"), (2, "two", "y y")]
    assert overhead_work.choose_shortest(documents, 2) == ["a", "two"]
    assert overhead_work.choose_shortest(documents, 3) == ["a", "two", "long"]
    with pytest.raises(RuntimeError, match="^3 documents differ in their text, expected 4 or more"):
        overhead_work.choose_shortest(documents, 4)


def test_a_run_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text("name = 7")
    with pytest.raises(RuntimeError, match=r"^pipeline run ended with 2:\n[\s\S]*job.toml"):
        run_pipeline(tmp_path / "job.toml")


def test_flags_of_the_command_line() -> None:
    arguments = {"model": "/m", "enforce_eager": True, "enable_log_requests": False, "seed": 0, "x_y": {"a": [1]}}
    words = list(run_batch.build_flags(arguments))
    assert words == ["--model", "/m", "--enforce-eager", "--seed", "0", "--x-y", '{"a": [1]}']


def answered(key: str, status: int = 200, error: object = None) -> str:
    body = {"choices": [{"message": {"content": f"{key}\u2028."}}], "usage": {"prompt_tokens": 7}}
    return json.dumps({"custom_id": key, "response": {"status_code": status, "body": body}, "error": error}) + "\n"


def test_the_answers_of_a_batch_are_found_by_key() -> None:
    batch = run_batch.read_answers(answered("b") + answered("a"), 1.5)
    assert batch == run_batch.Batch(1.5, {"b": "b\u2028.", "a": "a\u2028."}, {"a": 7, "b": 7})


@pytest.mark.parametrize("line", [answered("a", status=400), answered("a", error={"message": "no"})])
def test_a_request_that_failed_is_told(line: str) -> None:
    with pytest.raises(RuntimeError, match="run-batch answered a request with"):
        run_batch.read_answers(answered("b") + line, 1.0)


def test_the_work_is_described(asked: Asked) -> None:
    told = overhead.describe(asked)
    assert told.startswith(f"{N_DOCUMENTS} prompts of {N_DOCUMENTS} documents: ")
    assert "answers of at most 64" in told
    assert asked.arguments["model"] not in told  # a path of this machine


def test_rivals_take_part_once(
    job: Path, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = {"at_once": 10.0, "pipeline": 11.0, "batch": 12.0, "one_by_one": 50.0}
    for way, value in seconds.items():
        figures = {"seconds": value, "command seconds": value + 30}
        monkeypatch.setattr(overhead.Ways, way, lambda self, figures=figures: figures)
    monkeypatch.setattr(overhead, "load_asked", lambda _: asked)
    between, whole = overhead.measure("made", job, tmp_path, 3, has_rivals=True)
    assert [(len(one.rounds), len(one.contenders)) for one in (between, whole)] == [(3, 2), (1, 4)]
    assert list(between.missed()) == [
        "made: from the first prompt to the last answer: pipeline run is 1.100x LLM.generate, all at once, "
        "goal at most 1.03x"
    ]
    assert whole.ratio("LLM.chat, one by one").median == pytest.approx(80 / 41)
    assert not list(whole.missed())
    assert capsys.readouterr().out.count("run-batch") == 1
    (_, alone) = overhead.measure("real", job, tmp_path, 1, has_rivals=False)
    assert len(alone.contenders) == 2


@pytest.mark.engine
def test_bare_vllm_that_fails_is_told(tmp_path: Path) -> None:
    work = BareWork({"model": str(tmp_path)}, [BarePrompt("k", [1], 1)])
    with pytest.raises(RuntimeError, match="the bare script ended with 1"):
        run_bare(work, tmp_path)
