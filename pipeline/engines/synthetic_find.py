"""What a prompt shows of its document, for the rehearsal engine: token ids in, the matches of a pattern out.

It knows the model's tokenizer, and so measures answers in the model's own tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from pipeline.engines.synthetic_orders import Lens
from pipeline.prompts.render import LEAD, PART_NOTE, SECTION_NOTE, SECTION_OF_PART_NOTE, WHOLE_NOTE
from pipeline.prompts.tokenizers import load_tokenizer

_NOTES = (WHOLE_NOTE, PART_NOTE[0], SECTION_NOTE, SECTION_OF_PART_NOTE[0])
Found: TypeAlias = dict[str, str]
"""One match: the text of each named group that took part."""


class Finder:
    """Finds what a pattern matches, and counts tokens.

    Attributes:
        names: The pattern's groups, in its order.

    Raises:
        JobError: The model folder has no tokenizer.
    """

    def __init__(self, lens: Lens) -> None:
        self._pattern = re.compile(lens.pattern)
        self.names = tuple(self._pattern.groupindex)
        self._tokenizer = load_tokenizer("auto", Path(lens.model_folder), lens.model_name)

    def find(self, token_ids: Sequence[int]) -> list[Found] | None:
        """All matches in the prompt's part of the document, in order; None for a prompt that shows none."""
        shown = document_part(self._tokenizer.decode(token_ids))
        if shown is None:
            return None
        return [
            {name: text for name, text in match.groupdict().items() if text is not None}
            for match in self._pattern.finditer(shown)
        ]

    def count_tokens(self, text: str) -> int:
        """Tokens of an answer; at least 1, that which ends it."""
        return max(1, len(self._tokenizer.encode_batch([text])[0]))

    def clip(self, text: str, max_tokens: int) -> str:
        """The first tokens of an answer. Where the last of them is half a character, that half is left out."""
        return self._tokenizer.decode(self._tokenizer.encode_batch([text])[0][:max_tokens]).rstrip("\ufffd")


def document_part(prompt: str) -> str | None:
    """What stands between the prompt's lead and the last of its notes; None where nothing is led in as a document."""
    _, lead, shown = prompt.partition(LEAD)
    if not lead:
        return None
    end = max(map(shown.rfind, _NOTES))
    return shown if end < 0 else shown[:end]
