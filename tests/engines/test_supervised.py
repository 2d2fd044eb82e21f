"""Engines that die by script: every prompt gets its one generation, killers are found out, the run can be stopped."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.engine import FinishReason, Generation
from pipeline.engines.supervised import SupervisedEngine
from pipeline.errors import EngineError, JobError
from pipeline.prompts.prompt import Prompt

PromptMaker = Callable[..., Prompt]


@dataclass
class MortalEngine:
    """Answers one prompt a collect, in order; dies on poison, at chosen collects, or at chosen starts.

    Attributes:
        poisons: Prompts that end the engine when their turn comes.
        dies_at: Numbers of the collects (from 0, over all lives) that end the engine.
        dies_of: Prompts that end the engine as they are submitted.
        fails_starts: Numbers of the starts (from 0) that fail.
    """

    poisons: set[str] = field(default_factory=set)
    dies_at: set[int] = field(default_factory=set)
    dies_of: set[str] = field(default_factory=set)
    fails_starts: dict[int, Exception] = field(default_factory=dict)
    window: int = 8
    window_tokens: int | None = None
    n_starts: int = 0
    n_collects: int = 0
    is_up: bool = False
    asked: Counter[str] = field(default_factory=Counter)
    in_flight: list[str] = field(default_factory=list)
    beside: dict[str, list[str]] = field(default_factory=dict)

    def describe(self) -> dict[str, str]:
        return {"kind": "mortal"}

    def start(self) -> None:
        self.n_starts += 1
        assert not self.is_up
        self.is_up = True  # in part, when it fails: it wants to be closed
        if failure := self.fails_starts.get(self.n_starts - 1):
            raise failure

    def submit(self, prompt: Prompt) -> None:
        assert self.is_up
        assert prompt.prompt_id not in self.in_flight
        self.asked[prompt.prompt_id] += 1
        self.in_flight.append(prompt.prompt_id)
        for prompt_id in self.in_flight:
            self.beside[prompt_id] = list(self.in_flight)
        if prompt.prompt_id in self.dies_of:
            self.is_up = False
            raise EngineError("choked")

    def collect(self, timeout_s: float) -> list[Generation]:
        self.n_collects += 1
        if not self.is_up or self.n_collects - 1 in self.dies_at or set(self.in_flight[:1]) & self.poisons:
            self.is_up = False
            raise EngineError("it is dead")
        done, self.in_flight = self.in_flight[:1], self.in_flight[1:]
        return [Generation(prompt_id, "{}", FinishReason.STOP) for prompt_id in done]

    def close(self) -> None:
        self.is_up = False
        self.in_flight = []


def supervise(engine: MortalEngine, max_restarts: int = 5, said: list[str] | None = None) -> SupervisedEngine:
    supervised = SupervisedEngine(engine, max_restarts, (said if said is not None else []).append, back_off_s=0.0)
    assert supervised.start()
    return supervised


def run(engine: SupervisedEngine, prompts: Iterable[Prompt], at_most: int = 1000) -> dict[str, Generation]:
    """As a run does it: keep the window full, collect until all are back; each exactly once."""
    waiting, n_in_flight = list(prompts), 0
    found: dict[str, Generation] = {}
    for _ in range(at_most):
        while waiting and n_in_flight < engine.window:
            engine.submit(waiting.pop(0))
            n_in_flight += 1
        if not n_in_flight:
            return found
        for generation in engine.collect(0.0):
            assert generation.prompt_id not in found
            found[generation.prompt_id] = generation
            n_in_flight -= 1
    raise AssertionError(f"{n_in_flight} prompts never came back")


@pytest.fixture(scope="session")
def make_prompts(make_prompt: PromptMaker) -> Callable[[int], list[Prompt]]:
    return lambda number: [make_prompt(f"p{index}", [index]) for index in range(number)]


PromptsMaker = Callable[[int], list[Prompt]]


def test_an_engine_that_lives_is_left_alone(make_prompts: PromptsMaker) -> None:
    said: list[str] = []
    inner = MortalEngine()
    engine = supervise(inner, said=said)
    assert set(run(engine, make_prompts(30))) == {f"p{index}" for index in range(30)}
    assert (inner.n_starts, engine.n_deaths, engine.is_down, said) == (1, 0, False, [])
    assert engine.describe() == {"kind": "mortal"}
    engine.close()
    engine.close()
    assert not inner.is_up


def test_what_was_in_flight_is_asked_again_and_nothing_else(make_prompts: PromptsMaker) -> None:
    said: list[str] = []
    inner = MortalEngine(dies_at={3})
    engine = supervise(inner, said=said)
    found = run(engine, make_prompts(20))
    assert {generation.finish_reason for generation in found.values()} == {FinishReason.STOP}
    assert len(found) == 20
    assert engine.n_deaths == 1
    assert [prompt_id for prompt_id, times in inner.asked.items() if times == 2] == [f"p{n}" for n in range(3, 11)]
    assert said == ["the engine died: it is dead; prompts asked again: 8, quarantined: 0; restart 1 of 5"]


def test_a_prompt_that_kills_is_found_among_a_hundred(make_prompts: PromptsMaker) -> None:
    """All are suspects after two deaths; each is tried alone, and that costs one death more, not a hundred."""
    inner = MortalEngine(poisons={"p0"}, window=100)
    engine = supervise(inner)
    found = run(engine, make_prompts(120))
    assert len(found) == 120
    killer = found.pop("p0")
    assert killer.finish_reason is FinishReason.QUARANTINED
    assert killer.error == "the engine died 3 times while it ran this prompt: it is dead"
    assert (killer.text, killer.n_output_tokens) == ("", 0)
    assert {generation.finish_reason for generation in found.values()} == {FinishReason.STOP}
    assert engine.n_deaths == 3
    assert inner.asked["p0"] == 3
    assert max(inner.asked.values()) == 3
    assert all(inner.beside[f"p{index}"] == [f"p{index}"] for index in range(100))  # the last time, alone
    assert inner.beside["p110"] != ["p110"]


def test_a_death_at_submission_is_a_death(make_prompts: PromptsMaker) -> None:
    inner = MortalEngine(dies_of={"p5"})
    engine = supervise(inner)
    found = run(engine, make_prompts(12))
    assert len(found) == 12
    assert found["p5"].finish_reason is FinishReason.QUARANTINED
    assert found["p5"].error.endswith(": choked")  # not what the dead engine says later
    assert engine.n_deaths == 3


def test_a_suspect_that_answers_is_cleared(make_prompts: PromptsMaker) -> None:
    (prompt,) = make_prompts(1)
    engine = supervise(MortalEngine(dies_at={0, 1, 3}))
    for _ in range(2):
        found = run(engine, [prompt])
        assert found["p0"].finish_reason is FinishReason.STOP
    assert engine.n_deaths == 3


class FrankEngine(MortalEngine):
    """Dead, it still hands over what it had finished."""

    def collect(self, timeout_s: float) -> list[Generation]:
        if self.is_up:
            return []
        assert timeout_s == 0  # there is nothing to wait for
        return [Generation(prompt_id, "{}", FinishReason.STOP) for prompt_id in self.in_flight[:-1]]


def test_what_was_finished_before_a_death_is_not_asked_again(make_prompts: PromptsMaker) -> None:
    inner = FrankEngine(dies_of={"p2"})
    engine = supervise(inner, max_restarts=0)
    for prompt in make_prompts(3):
        engine.submit(prompt)
    assert [generation.prompt_id for generation in engine.collect(9.0)] == ["p0", "p1"]
    with pytest.raises(EngineError, match="choked; prompts asked again: 1,"):
        engine.collect(0.0)


def test_an_idle_engine_that_died_is_there_for_the_next_prompt(make_prompts: PromptsMaker) -> None:
    inner = MortalEngine(dies_at={0})
    engine = supervise(inner)
    assert engine.collect(0.0) == []
    assert engine.n_deaths == 1
    assert len(run(engine, make_prompts(3))) == 3


def test_too_many_deaths_without_an_answer_end_it(make_prompts: PromptsMaker) -> None:
    inner = MortalEngine(dies_at=set(range(1, 100)))
    engine = supervise(inner, max_restarts=1)
    with pytest.raises(EngineError, match=r"it is dead.* without an answer: 1, allowed: 1.*run the job again"):
        run(engine, make_prompts(9))
    assert inner.n_starts == 2
    assert not inner.is_up


def test_an_answer_between_deaths_starts_the_count_again(make_prompts: PromptsMaker) -> None:
    inner = MortalEngine(dies_at={1, 3, 5, 7})
    engine = supervise(inner, max_restarts=1)
    assert len(run(engine, make_prompts(9))) == 9
    assert engine.n_deaths == 4


def test_no_restarts_allowed(make_prompts: PromptsMaker) -> None:
    engine = supervise(MortalEngine(dies_at={0}), max_restarts=0)
    with pytest.raises(EngineError, match="allowed: 0"):
        run(engine, make_prompts(1))


def test_a_restart_that_fails_is_tried_again_and_counted(make_prompts: PromptsMaker) -> None:
    said: list[str] = []
    inner = MortalEngine(dies_at={1}, fails_starts={1: EngineError("no memory"), 2: EngineError("no memory")})
    engine = supervise(inner, max_restarts=3, said=said)
    assert len(run(engine, make_prompts(4))) == 4
    assert (inner.n_starts, engine.n_deaths) == (4, 1)
    assert said[1] == "the engine did not start again: no memory; prompts that wait for it: 3; restart 2 of 3"
    again = MortalEngine(dies_at={1}, fails_starts={number: EngineError("no memory") for number in range(1, 9)})
    with pytest.raises(EngineError, match="no memory.*: 3, allowed: 3"):
        run(supervise(again, max_restarts=3), make_prompts(4))


def test_a_wrong_model_or_job_stays_wrong(make_prompts: PromptsMaker) -> None:
    inner = MortalEngine(fails_starts={0: EngineError("no such model")})
    with pytest.raises(EngineError, match="no such model"):
        SupervisedEngine(inner, 5, print).start()
    assert inner.n_starts == 1
    engine = supervise(MortalEngine(dies_at={0}, fails_starts={1: JobError("no such option")}))
    with pytest.raises(JobError, match="no such option"):
        run(engine, make_prompts(1))


def test_before_start_there_is_nothing_to_ask(make_prompts: PromptsMaker) -> None:
    engine = SupervisedEngine(MortalEngine(), 5, print)
    assert engine.window == 8
    with pytest.raises(EngineError, match="not started"):
        engine.submit(make_prompts(1)[0])
    with pytest.raises(EngineError, match="not started"):
        engine.collect(0.0)
    engine.close()


def test_the_same_id_twice_is_refused_also_when_it_waits_inside(make_prompts: PromptsMaker) -> None:
    (prompt,) = make_prompts(1)
    inner = MortalEngine(dies_at={0})
    engine = supervise(inner)
    engine.submit(prompt)
    assert engine.collect(0.0) == []  # dead: now it waits
    with pytest.raises(ValueError, match="in flight already"):
        engine.submit(prompt)
    assert len(engine.collect(0.0)) == 1
    engine.submit(prompt)
    assert inner.asked["p0"] == 3


def test_a_death_while_stopping_is_the_end_and_nobodys_fault(make_prompts: PromptsMaker) -> None:
    said: list[str] = []
    stopping = threading.Event()
    inner = MortalEngine(dies_at={0, 1, 2})
    engine = SupervisedEngine(inner, 1, said.append, stopping.is_set, back_off_s=0.0)
    engine.start()
    engine.submit(make_prompts(1)[0])
    assert engine.collect(0.0) == engine.collect(0.0) == []
    assert not engine.is_down
    stopping.set()
    assert engine.collect(0.0) == []
    assert engine.is_down
    assert inner.n_starts == 2
    n_said = len(said)
    assert engine.collect(0.0) == []
    assert len(said) == n_said
    assert "asked to stop" in said[-1]
    stopping.clear()
    engine.start()
    assert not engine.is_down


def test_a_suspect_is_not_quarantined_by_a_death_while_stopping(make_prompts: PromptsMaker) -> None:
    """As when a scheduler's SIGTERM goes to the driver and to the engine alike."""
    inner = MortalEngine(poisons={"p0"})
    engine = SupervisedEngine(inner, 5, print, lambda: inner.n_collects >= 3, back_off_s=0.0)
    engine.start()
    engine.submit(make_prompts(1)[0])
    assert engine.collect(0.0) == engine.collect(0.0) == engine.collect(0.0) == []
    assert (engine.n_deaths, inner.n_starts) == (3, 3)
    assert engine.is_down
    engine.close()
    assert engine.is_down  # for the report


def test_the_back_off_grows_and_ends_at_a_stop(make_prompts: PromptsMaker) -> None:
    stopping = threading.Event()
    engine = SupervisedEngine(MortalEngine(dies_at={0, 1}), 5, print, stopping.is_set, back_off_s=0.15)
    engine.start()
    engine.submit(make_prompts(1)[0])
    engine.collect(0.0)
    for at_least_s in (0.15, 0.3):
        began = time.monotonic()
        engine.collect(0.0)
        assert time.monotonic() - began >= at_least_s
    inner = MortalEngine(dies_at={0})
    engine = SupervisedEngine(inner, 5, print, stopping.is_set, back_off_s=50.0)
    engine.start()
    engine.collect(0.0)
    threading.Timer(0.1, stopping.set).start()
    began = time.monotonic()
    assert engine.collect(0.0) == []
    assert time.monotonic() - began < 10
    assert engine.is_down
    assert inner.n_starts == 1


class SlowEngine(MortalEngine):
    """Loads until it is closed, or for ten seconds; deaf to the first close, which comes before there is anything."""

    n_closes = 0

    def start(self) -> None:
        for _ in range(1000):
            time.sleep(0.01)
            if self.n_closes >= 2:
                raise EngineError("closed while it started")

    def close(self) -> None:
        self.n_closes += 1


def test_a_stop_is_heard_while_the_engine_loads() -> None:
    stopping = threading.Event()
    engine = SupervisedEngine(SlowEngine(), 5, print, stopping.is_set)
    threading.Timer(0.2, stopping.set).start()
    began = time.monotonic()
    assert engine.start() is False
    assert 0.2 <= time.monotonic() - began < 2
    with pytest.raises(EngineError, match="not started"):
        engine.collect(0.0)
    assert "engine start" not in {thread.name for thread in threading.enumerate()}


class DeafEngine(MortalEngine):
    """Its start cannot be ended, and succeeds; only then it knows how wide its window is."""

    def start(self) -> None:
        time.sleep(0.25)
        super().start()
        self.window = 32


def test_an_engine_that_comes_up_after_the_stop_is_closed() -> None:
    inner = DeafEngine()
    began = time.monotonic()
    engine = SupervisedEngine(inner, 5, print, lambda: time.monotonic() > began + 0.05)
    assert engine.start() is False
    assert inner.n_starts == 1
    assert not inner.is_up


def test_the_window_is_what_the_engine_says_once_it_is_up(make_prompts: PromptsMaker) -> None:
    inner = DeafEngine(dies_at={0})
    engine = supervise(inner)
    assert engine.window == 32
    inner.window = 1
    engine.collect(0.0)
    assert engine.window == 32  # dead, it has none
    assert len(run(engine, make_prompts(1))) == 1


def test_a_stop_before_the_start_loads_nothing() -> None:
    inner = MortalEngine()
    assert SupervisedEngine(inner, 5, print, lambda: True).start() is False
    assert inner.n_starts == 0


@given(
    n_prompts=st.integers(0, 40),
    window=st.integers(1, 12),
    poisons=st.sets(st.integers(0, 39), max_size=6),
    chokes=st.sets(st.integers(0, 39), max_size=3),
    dies_at=st.sets(st.integers(0, 80), max_size=20),
    fails_starts=st.sets(st.integers(1, 20), max_size=5),
)
def test_whatever_dies_each_prompt_comes_back_once(
    n_prompts: int, window: int, poisons: set[int], chokes: set[int], dies_at: set[int], fails_starts: set[int]
) -> None:
    """`MortalEngine` itself refuses the same id twice in flight; `run` refuses a second generation."""
    inner = MortalEngine(
        poisons={f"p{index}" for index in poisons},
        dies_at=dies_at,
        dies_of={f"p{index}" for index in chokes},
        fails_starts={number: EngineError("not now") for number in fails_starts},
        window=window,
    )
    prompts = [Prompt(f"p{index}", "doc", 0, "task", [index], 1, "{}") for index in range(n_prompts)]
    engine = supervise(inner, max_restarts=100)
    found = run(engine, prompts)
    assert found.keys() == {prompt.prompt_id for prompt in prompts}
    quarantined = {name for name, one in found.items() if one.finish_reason is FinishReason.QUARANTINED}
    assert quarantined >= (inner.poisons | inner.dies_of) & found.keys()
    innocents = quarantined - inner.poisons - inner.dies_of
    assert all(inner.beside[name] == [name] for name in quarantined)  # nobody is judged in company
    assert len(innocents) <= len(dies_at)
    assert all(times <= 3 for times in inner.asked.values())
