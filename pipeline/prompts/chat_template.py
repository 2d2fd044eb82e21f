"""Chat templates in Hugging Face's form (Jinja), split around what the job says.

In: a model folder. Out: for a system text and the first words of the user's turn, the template's own words between
them. Templates come with models: they run in Jinja's sandbox, and see no clock.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.errors import JobError

_SYSTEM, _USER = "\U0010fff0S\U0010fff1", "\U0010fff0U\U0010fff1"  # no template holds these
_FIXED_DATE = date(2025, 1, 1)
"""What a template that asks for today is told: a prompt must not change from day to day, or no answer is reused."""


class ChatTemplate:
    """One template, compiled.

    Args:
        source: Jinja text.
        special_tokens: Names the template may use (bos_token, eos_token, ...) and their texts.
    """

    def __init__(self, source: str, special_tokens: dict[str, str]) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = _to_json
        environment.globals |= {"raise_exception": _raise, "strftime_now": _FIXED_DATE.strftime}
        self.source = source
        self._special_tokens = special_tokens
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise JobError(f"The model's chat template is not valid: {error}.") from error

    def split(self, system: str, lead: str) -> list[str]:
        """The start of a chat, cut where the user's turn goes on.

        Returns:
            The template's words and ours in turn, the template's first and last: [words, system, words, lead, words],
            or [words, system and lead, words] where the template has no system turn.

        Raises:
            JobError: The template does not show each message exactly once.
        """
        user = {"role": "user", "content": _USER}
        for messages in ([{"role": "system", "content": _SYSTEM}, user], [user]):
            try:
                before, found, closing = self._render(messages).partition(_USER)
            except (TemplateError, TypeError, ValueError, KeyError) as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            opening = before.split(_SYSTEM)
            if found and len(opening) == len(messages) and _USER not in closing and _SYSTEM not in closing:
                return _interleave(opening, closing, system, lead)
            problem = "it does not show each message once, the user's last"
        raise JobError(f"The model's chat template cannot be used: {problem}.")

    def _render(self, messages: list[dict[str, str]]) -> str:
        return self._template.render(
            **self._special_tokens,
            messages=messages,
            tools=None,
            documents=None,
            add_generation_prompt=True,
            enable_thinking=False,  # the answer is JSON from its first token on
        )


def load_chat_template(folder: Path) -> ChatTemplate:
    """The chat template of a model folder: chat_template.jinja, else the one in tokenizer_config.json.

    Raises:
        JobError: There is none, or it is not valid.
    """
    config = _load_json(folder / "tokenizer_config.json")
    tokens = _load_json(folder / "special_tokens_map.json") | config
    special_tokens = {name: _token_text(value) for name, value in tokens.items() if name.endswith("_token")}
    file = folder / "chat_template.jinja"
    source = file.read_text(encoding="utf-8") if file.is_file() else config.get("chat_template")
    if isinstance(source, list):
        source = {item["name"]: item["template"] for item in source}.get("default")
    if not isinstance(source, str):
        raise JobError(
            f"No chat template in {folder}: expected chat_template.jinja, or chat_template in tokenizer_config.json. "
            "Use an instruction-tuned model."
        )
    return ChatTemplate(source, {name: text for name, text in special_tokens.items() if text is not None})


def _interleave(opening: list[str], closing: str, system: str, lead: str) -> list[str]:
    if len(opening) == 1:
        return [opening[0], f"{system}\n\n{lead}", closing]
    return [opening[0], system, opening[1], lead, closing]


def _load_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise JobError(f"{path} is not JSON: {error}.") from error
    return content if isinstance(content, dict) else {}


def _token_text(value: object) -> str | None:
    """A special token is written as its text, or as an object with its text in `content`."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _to_json(value: object, indent: int | None = None) -> str:
    """Jinja's own filter escapes for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)
