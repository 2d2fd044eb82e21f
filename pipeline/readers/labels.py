"""Speaker labels at the head of lines: which of them are people, and the times written beside them.

In: lines of text, or cues. Out: the label on each line that has one and is believed. It never changes text: a label
believed wrongly gives a wrong speaker, and loses no character.

A line is a candidate when it has one of the forms in `_FORMS`. Whether it is believed depends on the whole text:

1. A name counts as a speaker when it heads two lines or more (three when it begins with a small letter), or when a time
   stands beside it, and it is no word of forms and letters ("Name:", "Title:", "Date:", "Note:" ...).
2. The labels of a text are believed when there are at least three such lines, and they head at least one in eight of
   its paragraphs.
3. Then a capitalised name that heads one line only is believed too, if that line starts a paragraph and does not come
   before the candidate that precedes the first believed one.
4. Lines such as "Mr. SMITH." and "The PRESIDENT pro tempore." (records of parliaments and courts, where the name is in
   capitals) are so particular that one is enough.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.readers.cues import Cue

_TIME = r"[0-9]{1,3}:[0-9]{2}(?::[0-9]{2})?(?:[.,][0-9]{1,3})?"
_NAME = r"(?P<name>[^\W\d_][^:\uff1a\[\](){}<>*\n\t|]{0,47}?)"
_LEAD = r"[ \t\u200e\u200f]{0,8}(?:>{1,3}[ \t]?|[-\u2013][ \t])?"
_FORMS = (
    # Alice: words; Alice [4:30]: words; ALICE (00:12:03): words; [00:14:03] Alice: words; Alice: 00:00:15; **Alice:** x
    re.compile(
        rf"{_LEAD}(?:[\[(]?(?P<before>{_TIME})[\])]?[ \t]{{1,4}}(?:-[ \t])?)?(?:\*\*|__)?{_NAME}(?:\*\*|__)?"
        rf"(?:[ \t]{{0,2}}[\[(](?P<beside>{_TIME})[\])])?[ \t]?(?:\uff1a|:(?:\*\*|__)?(?=[ \t]|$))"
        rf"(?:[ \t]{{0,4}}(?P<after>{_TIME})[ \t]*$)?"
    ),
    # Alice Smith  0:03
    re.compile(rf"{_LEAD}(?:\*\*)?{_NAME}(?:\*\*)?[ \t]{{1,4}}[\[(]?(?P<beside>{_TIME})[\])]?[ \t]*$"),
    # [8/15/23, 9:12:33 AM] Alice: words; 15/08/2023, 09:12 - Alice: words
    re.compile(
        r"[\u200e\u200f]?\[?[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4},?[ \t][0-9]{1,2}[:.][0-9]{2}(?:[:.][0-9]{2})?"
        rf"(?:[ \u202f]?[AaPp]\.?[Mm]\.?)?\]?[ \t](?:-[ \t])?{_NAME}:(?=[ \t]|$)"
    ),
)
_OFFICIAL = re.compile(
    r"[ \t]{0,8}(?P<name>(?:Mr|Mrs|Ms|Miss|Dr|Sen|Rep)\. (?:[A-Z][a-z]{1,3}|[A-Z]['\u2019])?[A-Z]{2,}[A-Z'\u2019-]*"
    r"(?: [A-Z]{2,}){0,2}(?: of [A-Z][a-z]+(?: [A-Z][a-z]+)?)?"
    r"|The (?:[A-Z]{4,}(?: [A-Z]{4,}){0,2})(?: pro tempore)?)\.(?=[ \t]|$)"
)
_FORM_WORDS = frozenset(
    """
    address agenda appendix article attention attn answer by case caution cc chapter date dated email e-mail example
    exhibit facsimile fax figure from http https important its link links location media mobile name note notes part
    page phone podcast print question re schedule section signature signed slides source status step subject summary
    table tags tel telephone tip title to topic transcript url version video audio warning website whereas witness
    """.split()  # noqa: SIM905 - a list of eighty literals is harder to read
)
_MIN_LINES = 3
_MIN_SHARE = 1 / 8
_CAPTION_NAME = re.compile(r"(?:>>\s?|-\s)?(?P<name>[A-Z][A-Z0-9 .'\u2019&#-]{1,30}):(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Label:
    """A speaker's name at the head of a line.

    Attributes:
        line_index: The line, from 0.
        speaker: The name as written.
        start_ms: The time beside it, in milliseconds; None when there is none (a date and clock time is none).
    """

    line_index: int
    speaker: str
    start_ms: int | None = None


def find_labels(lines: Sequence[str], n_paragraphs: int) -> list[Label]:
    """The labels of a text that are believed, in line order; see the module's rules.

    Args:
        lines: Without their line ends.
        n_paragraphs: How many blocks between blank lines they form.
    """
    candidates = [label for index, line in enumerate(lines) if (label := _candidate(index, line))]
    names = Counter(label.speaker for label in candidates if _is_name(label.speaker))
    strong = {name for name, count in names.items() if count >= (3 if name[0].islower() else 2)}
    strong |= {label.speaker for label in candidates if label.start_ms is not None and label.speaker in names}
    believed = [label for label in candidates if label.speaker in strong]
    if len(believed) < _MIN_LINES or len(believed) < _MIN_SHARE * n_paragraphs:
        return _official_labels(lines)
    first = max(candidates.index(believed[0]) - 1, 0)
    return [
        label
        for place, label in enumerate(candidates)
        if label.speaker in strong or (place >= first and label.speaker in names and _begins_paragraph(lines, label))
    ]


def label_cues(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Give captions without a voice the speaker named at their head.

    Capitals ("ALICE: ...", the captioners' rule) are believed at once, other names by the rules above over all cues.
    A cue with labels on several lines keeps none: it has more than one speaker. Text stays as it is.
    """
    cues = list(cues)
    heads = ["" if cue.problem or cue.speaker else cue.text.split("\n", 1)[0] for cue in cues]
    believed = {label.line_index: label for label in find_labels(heads, len(heads))}
    for index, cue in enumerate(cues):
        speaker = None
        if heads[index]:
            capitals = _CAPTION_NAME.match(heads[index])
            speaker = capitals["name"] if capitals else believed[index].speaker if index in believed else None
        if speaker is None or any(_CAPTION_NAME.match(line) for line in cue.text.split("\n")[1:]):
            yield cue
        else:
            yield Cue(cue.text, cue.kind, cue.start_ms, cue.end_ms, speaker.strip())


def _candidate(index: int, line: str) -> Label | None:
    head = line[:160]
    for form in _FORMS:
        if match := form.match(head):
            groups = match.groupdict()
            time = groups.get("before") or groups.get("beside") or groups.get("after")
            return Label(index, groups["name"].strip(), _milliseconds(time) if time else None)
    return None


def _is_name(name: str) -> bool:
    """At most five words that could be a person, a role or a handle."""
    words = name.split()
    if not 1 <= len(words) <= 5 or name.lower() in _FORM_WORDS or words[0].lower() in _FORM_WORDS:
        return False
    if any(mark in name for mark in '!?;,"“”=/\\') or any(word.endswith(".") and len(word) > 5 for word in words):
        return False
    return len(words) == 1 or not words[0][0].islower()


def _begins_paragraph(lines: Sequence[str], label: Label) -> bool:
    """Whether a name seen once stands where a speaker would: each word capitalised, after a blank line or a label."""
    capitalised = all(word[0].isupper() or word[0].isdigit() for word in label.speaker.split())
    return (
        capitalised
        and len(label.speaker.split()) <= 3
        and (label.line_index == 0 or not lines[label.line_index - 1].strip())
    )


def _official_labels(lines: Sequence[str]) -> list[Label]:
    found = ((index, _OFFICIAL.match(line)) for index, line in enumerate(lines))
    labels = [Label(index, match["name"]) for index, match in found if match]
    return labels if any(not label.speaker.startswith("The ") for label in labels) or len(labels) > 1 else []


def _milliseconds(time: str) -> int:
    whole, _, fraction = time.replace(",", ".").partition(".")
    seconds = 0
    for field in whole.split(":"):
        seconds = seconds * 60 + int(field)
    return seconds * 1000 + int(fraction.ljust(3, "0") or 0)
