"""vLLM without anything of ours: `LLM.generate` with all prompts at once, or `LLM.chat` with one after the other.

    result = run_bare(BareWork(arguments, prompts), folder)

`run_bare` starts this file as a script in a process of its own, which imports vLLM and nothing of the pipeline: what a
person would write who has the prompts and wants the answers.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

_Untyped: TypeAlias = Any  # what vLLM gives
_LOG_SHOWN_CHARS = 3000
AT_ONCE = "at once"
ONE_BY_ONE = "one by one"


@dataclass(frozen=True, slots=True)
class BarePrompt:
    """One request.

    Attributes:
        key: By which its answer is found.
        token_ids: What the model sees.
        max_tokens: Most tokens of the answer.
        grammar: In llguidance's language; "" for none.
        messages: The same as a chat, for `ONE_BY_ONE`: role and content of each.
    """

    key: str
    token_ids: list[int]
    max_tokens: int
    grammar: str = ""
    messages: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BareWork:
    """What the script is told.

    Attributes:
        arguments: Of vLLM's `LLM`; those that its EngineArgs does not know are left out.
        prompts: In the order in which they are given to vLLM.
        ways: How all of them are asked, once for each way and with an empty prefix cache each time: AT_ONCE, as token
            ids; ONE_BY_ONE, as chats, each after the answer to the one before.
    """

    arguments: Mapping[str, Any]
    prompts: Sequence[BarePrompt]
    ways: Sequence[str] = (AT_ONCE,)


@dataclass(frozen=True, slots=True)
class BareAnswer:
    """One answer.

    Attributes:
        text: What the model wrote.
        n_prompt_tokens: Tokens of the prompt as vLLM saw it.
        n_cached_tokens: How many of them came from the prefix cache.
        n_output_tokens: Tokens of the text.
        is_same_prompt: Whether vLLM saw the token ids of the BarePrompt; a chat may be encoded otherwise.
    """

    text: str
    n_prompt_tokens: int
    n_cached_tokens: int
    n_output_tokens: int
    is_same_prompt: bool


@dataclass(frozen=True, slots=True)
class BareRound:
    """All prompts, once.

    Attributes:
        seconds: From the first prompt given to the last answer.
        answers: By key.
    """

    seconds: float
    answers: dict[str, BareAnswer]


@dataclass(frozen=True, slots=True)
class BareResult:
    """What the script did.

    Attributes:
        ready_s: Seconds from its start until vLLM could take prompts.
        total_s: Seconds from its start to its end.
        rounds: One for each way, in their order.
    """

    ready_s: float
    total_s: float
    rounds: list[BareRound]


def run_bare(work: BareWork, folder: Path) -> BareResult:
    """Run the script and wait for it.

    Args:
        work: What it is told.
        folder: Where its request, answers and log lie; made when absent.

    Raises:
        RuntimeError: It failed; with the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    request, answers, log = folder / "bare_request.json", folder / "bare_answers.json", folder / "bare.log"
    request.write_text(json.dumps(asdict(work)), encoding="utf-8")
    started_s = time.monotonic()
    command = [sys.executable, str(Path(__file__).resolve()), str(request), str(answers), str(started_s)]
    with log.open("wb") as stream:
        done = subprocess.run(command, stdout=stream, stderr=stream, cwd=folder, check=False)
    total_s = time.monotonic() - started_s
    if done.returncode != 0:
        told = log.read_text(encoding="utf-8", errors="replace")[-_LOG_SHOWN_CHARS:]
        raise RuntimeError(f"the bare script ended with {done.returncode}:\n{told}")
    content = json.loads(answers.read_bytes())
    rounds = [
        BareRound(each["seconds"], {key: BareAnswer(**answer) for key, answer in each["answers"].items()})
        for each in content["rounds"]
    ]
    return BareResult(content["ready_s"], total_s, rounds)


def main() -> int:
    """The script: request file, answers file, and what the system's monotonic clock said at its start."""
    request, answers, started_s = sys.argv[1:]
    content = json.loads(Path(request).read_bytes())
    prompts = [BarePrompt(**prompt) for prompt in content.pop("prompts")]
    work = BareWork(prompts=prompts, **content)
    from vllm import LLM
    from vllm.engine.arg_utils import EngineArgs

    known = {item.name for item in dataclasses.fields(EngineArgs)}
    llm = LLM(**{name: value for name, value in work.arguments.items() if name in known})
    ready_s = time.monotonic() - float(started_s)
    rounds = []
    for way in work.ways:
        llm.reset_prefix_cache()
        rounds.append(asdict(_ask(llm, work.prompts, way)))
    Path(answers).write_text(json.dumps({"ready_s": ready_s, "rounds": rounds}), encoding="utf-8")
    return 0


def _ask(llm: _Untyped, prompts: Sequence[BarePrompt], way: str) -> BareRound:
    ways: dict[str, Callable[[_Untyped, Sequence[BarePrompt]], list[_Untyped]]] = {
        AT_ONCE: _ask_at_once,
        ONE_BY_ONE: _ask_one_by_one,
    }
    began_s = time.monotonic()
    outputs = ways[way](llm, prompts)
    seconds = time.monotonic() - began_s
    pairs = zip(prompts, outputs, strict=True)
    return BareRound(seconds, {prompt.key: _read(prompt, output) for prompt, output in pairs})


def _ask_at_once(llm: _Untyped, prompts: Sequence[BarePrompt]) -> list[_Untyped]:
    """`LLM.generate` gives its outputs in the order of its prompts."""
    ids = [{"prompt_token_ids": prompt.token_ids} for prompt in prompts]
    return list(llm.generate(ids, [_sampling(prompt) for prompt in prompts], use_tqdm=False))


def _ask_one_by_one(llm: _Untyped, prompts: Sequence[BarePrompt]) -> list[_Untyped]:
    return [llm.chat(prompt.messages, _sampling(prompt), use_tqdm=False)[0] for prompt in prompts]


def _sampling(prompt: BarePrompt) -> _Untyped:
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    grammar = StructuredOutputsParams(grammar=prompt.grammar) if prompt.grammar else None
    return SamplingParams(temperature=0.0, max_tokens=prompt.max_tokens, structured_outputs=grammar)


def _read(prompt: BarePrompt, output: _Untyped) -> BareAnswer:
    (completion,) = output.outputs
    return BareAnswer(
        text=completion.text,
        n_prompt_tokens=len(output.prompt_token_ids),
        n_cached_tokens=output.num_cached_tokens or 0,
        n_output_tokens=len(completion.token_ids),
        is_same_prompt=list(output.prompt_token_ids) == prompt.token_ids,
    )


if __name__ == "__main__":
    sys.exit(main())
