"""`make chaos`: kill runs some two hundred times in every way, and show that nothing is lost and nothing done twice.

    python tests/chaos/chaos.py [--kills N] [--seed S] [--round R] [--real N] [--out FOLDER]

Exits with 1 when anything is wrong; what was left of that round stays in the folder, and its number and the seed repeat
it.
"""

import argparse
import secrets
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rounds import Reference, Round, Struck, make_reference, play_real_round, play_round
from scenarios import DEATHS, PLAIN, POISON, SECONDS, Scenario

SCENARIOS = (PLAIN, SECONDS, PLAIN, DEATHS, PLAIN, SECONDS, POISON)
"""In turn: a round in which the engine also dies by itself takes three times as long."""
_AT_A_TIME = 2


def main() -> int:
    """Play rounds until enough was killed; print what was tried."""
    options = _parse()
    folder = options.out or Path(tempfile.mkdtemp(prefix="pipeline-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}, in {folder}", flush=True)
    start_s = time.monotonic()
    indices = [options.round] if options.round is not None else range(10_000)
    rounds = play_rounds(folder, options.kills, options.seed, indices)
    if options.real:
        rounds.append(play_real_round(folder, options.real, options.seed))
        print(describe_round(rounds[-1]))
    print(describe(rounds))
    print(f"{time.monotonic() - start_s:.0f} s, seed {options.seed}")
    return 1 if any(played.problems for played in rounds) else 0


def play_rounds(
    folder: Path, n_kills: int, seed: int, indices: Sequence[int], scenarios: Sequence[Scenario] = SCENARIOS
) -> list[Round]:
    """Rounds until n_kills came about, two at a time; those that were under way by then are finished.

    Args:
        folder: Where their projects are made.
        n_kills: Of processes; a run that was only asked to end counts as none.
        seed: Decides what is done.
        indices: Numbers of the rounds to play, in this order.
        scenarios: Taken in turn.
    """
    references: dict[str, Reference] = {}
    lock = threading.Lock()
    rounds: list[Round] = []

    def play(index: int) -> None:
        if _count_kills(rounds) >= n_kills or any(played.problems for played in rounds):
            return
        scenario = scenarios[index % len(scenarios)]
        with lock:
            if scenario.name not in references:
                references[scenario.name] = make_reference(folder, scenario)
        rounds.append(play_round(folder, index, seed, scenario, references[scenario.name]))
        print(f"{_count_kills(rounds):4} kills, {describe_round(rounds[-1])}", flush=True)

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(play, indices))
    return rounds


def describe_round(played: Round) -> str:
    """One line, and one for each problem."""
    wrong = "".join(f"\n  WRONG: {problem}" for problem in played.problems)
    return f"{played.name}: {len(played.struck)} kills, {played.n_starts} starts{wrong or ', all checks passed'}"


def describe(rounds: Sequence[Round]) -> str:
    """The table of what was tried."""
    by_name: dict[str, list[Struck]] = defaultdict(list)
    for struck in (struck for played in rounds for struck in played.struck):
        by_name[struck.name].append(struck)
    bounds = sorted({struck.max_answers for of_name in by_name.values() for struck in of_name})
    width = max(map(len, by_name), default=0)
    lines = [f"{'':{width}}  times  answers asked again: in all, most at once where the journal holds up to"]
    lines.append(f"{'':{width}} {'':30}" + "".join(f"{bound:6}" for bound in bounds))
    for name, of_name in sorted(by_name.items()):
        most = [max((s.n_lost for s in of_name if s.max_answers == bound), default="") for bound in bounds]
        n_lost = sum(struck.n_lost for struck in of_name)
        lines.append(f"{name:{width}} {len(of_name):6} {n_lost:23}" + "".join(f"{n:6}" for n in most))
    n_wrong = sum(bool(played.problems) for played in rounds)
    n_starts, n_missed = sum(played.n_starts for played in rounds), sum(played.n_missed for played in rounds)
    lines.append(
        f"{len(rounds)} rounds, {_count_kills(rounds)} kills, {n_starts} starts, {n_missed} kills came too late, "
        f"{sum(s.n_lost for played in rounds for s in played.struck)} answers asked again: "
        + (f"{n_wrong} rounds WRONG" if n_wrong else "all checks passed")
    )
    return "\n".join(lines)


def _count_kills(rounds: Sequence[Round]) -> int:
    return sum(struck.is_kill for played in rounds for struck in played.struck)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="stop after so many (default 200)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="decides what is done")
    parser.add_argument("--round", type=int, help="play this round only")
    parser.add_argument("--real", type=int, default=0, help="so many kills with the real engine, after the others")
    parser.add_argument("--out", type=Path, help="a folder for the projects (default: a temporary one)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
