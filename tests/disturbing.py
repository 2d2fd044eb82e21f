"""What models do to the quotes that they write, and quotes that are not there.

Each disturbance takes the words of the document and gives what a model might have written instead.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator

from planting import Field, Plant, count, is_of_word, letters

from pipeline.answers.quotes import Grade

ANY = frozenset({Grade.EXACT, Grade.NORMALIZED, Grade.PARTS, Grade.FUZZY})
_TRIES, _MOST_WITHOUT = 60, 5
_KEPT_ENDS = 6
"""Characters at either end that no typo changes: else it would be open where the quote begins."""


def _same(quote: str, field: Field, rng: random.Random) -> str:
    return quote


def _white_space(quote: str, field: Field, rng: random.Random) -> str:
    way = rng.choice(("joined", "doubled", "hard", "broken"))
    if way == "joined":
        return re.sub(r"\s+", " ", quote)
    if way == "doubled":
        return re.sub(r"\s", lambda match: match[0] * 2, quote)
    if way == "hard":
        return re.sub(r"\s", "\u00a0", quote)
    return re.sub(r"\s", lambda match: rng.choice(("\n", " ", "\r\n", "\t")), quote)


def _case(quote: str, field: Field, rng: random.Random) -> str:
    return rng.choice((str.upper, str.lower, str.title, str.swapcase))(quote)


_PAIRS = [
    ("'", "\u2019"),
    ('"', "\u201c"),
    ("-", "\u2013"),
    ("-", "\u2014"),
    ("-", "\u2010"),
    ("\u00ab", '"'),
    ("\u00bb", '"'),
]


def _marks(quote: str, field: Field, rng: random.Random) -> str:
    """Quotation marks and dashes of another kind; round the whole when there are none inside."""
    changed = quote
    for one, other in rng.sample(_PAIRS, len(_PAIRS)):
        is_there = one in changed and not (one == "-" and re.search(r"-\s*\d", changed))
        changed = changed.replace(one, other) if is_there else changed
    opening, closing = rng.choice(
        (("\u201c", "\u201d"), ('"', '"'), ("\u00ab", "\u00bb"), ("\u201e", "\u201c"), ("'", "'"))
    )
    return changed if changed != quote else f"{opening}{quote}{closing}"


def _ligatures(quote: str, field: Field, rng: random.Random) -> str:
    for plain, joined in (("ffi", "\ufb03"), ("fi", "\ufb01"), ("fl", "\ufb02"), ("ff", "\ufb00"), ("\ufb01", "fi")):
        quote = quote.replace(plain, joined)
    return quote


def _hyphenation(quote: str, field: Field, rng: random.Random) -> str:
    """Words divided at a line's end put together, or a long one divided."""
    if re.search(r"[^\W\d]-\s*\n\s*[^\W\d]", quote):
        return re.sub(r"([^\W\d])-\s*\n\s*([^\W\d])", r"\1\2", quote)
    long = list(re.finditer(r"[^\W\d_]{7,}", quote)) if field.language in ("en", "fr", "de") else []
    if not long:
        return quote
    at = rng.choice(long).start() + 3
    hyphen = rng.choice("-\u00ad\u2010")
    return f"{quote[:at]}{hyphen}\n{quote[at:]}"


def _markdown(quote: str, field: Field, rng: random.Random) -> str:
    way = rng.choice(("bold", "code", "heading", "cited", "word"))
    if way == "word":
        words = quote.split(" ")
        at = rng.randrange(len(words))
        return " ".join([*words[:at], f"**{words[at]}**", *words[at + 1 :]])
    if way == "cited":
        return "> " + quote.replace("\n", "\n> ")
    return {"bold": f"**{quote}**", "code": f"`{quote}`", "heading": f"## {quote}"}[way]


def _forms(quote: str, field: Field, rng: random.Random) -> str:
    if rng.random() < 0.3:
        return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" and char.isalnum() else char for char in quote)
    return unicodedata.normalize(rng.choice(("NFC", "NFD", "NFKC", "NFKD")), quote)


def _typos(quote: str, field: Field, rng: random.Random) -> str:
    """One to ten percent of the letters substituted, left out, doubled or swapped; a swap counts as two."""
    places = [i for i in range(_KEPT_ENDS, len(quote) - _KEPT_ENDS) if quote[i].isalpha()]
    left = max(1, int(len(letters(quote)) * rng.uniform(0.01, 0.1)))
    chars = list(quote)
    for i in rng.sample(places, min(left, len(places))):
        if left <= 0:
            break
        other = rng.choice(field.alphabet)
        way = rng.choice(("swap", "drop", "double", "other", "other"))
        if way == "swap" and left > 1 and i + 1 < len(quote) - _KEPT_ENDS and quote[i + 1].isalpha():
            chars[i], chars[i + 1] = chars[i + 1], chars[i]
            left -= 1
        elif way in ("drop", "double"):
            chars[i] = "" if way == "drop" else quote[i] * 2
        else:
            chars[i] = other
        left -= 1
    return "".join(chars)


def _gap(quote: str, field: Field, rng: random.Random) -> int | None:
    """A place between two words, well inside."""
    low, high = len(quote) // 3, 2 * len(quote) // 3
    places = [i for i in range(low, high) if quote[i].isspace() or not field.is_spaced]
    return rng.choice(places) if places else None


_CHANGES: dict[str, tuple[Callable[[str, Field, random.Random], str], frozenset[Grade]]] = {
    "none": (_same, frozenset({Grade.EXACT})),
    "white space": (_white_space, frozenset({Grade.NORMALIZED})),
    "letter case": (_case, frozenset({Grade.NORMALIZED})),
    "quotes and dashes": (_marks, frozenset({Grade.NORMALIZED})),
    "ligatures": (_ligatures, frozenset({Grade.NORMALIZED})),
    "hyphenation": (_hyphenation, frozenset({Grade.NORMALIZED})),
    "Markdown": (_markdown, frozenset({Grade.NORMALIZED})),
    "Unicode forms": (_forms, frozenset({Grade.NORMALIZED})),
    "typos": (_typos, frozenset({Grade.FUZZY})),
}


def _changed(kind: str) -> Callable[[Field, random.Random], Plant | None]:
    change, grades = _CHANGES[kind]

    def make(field: Field, rng: random.Random) -> Plant | None:
        span = field.span(rng)
        if span is None:
            return None
        quote = field.text[span[0] : span[1]]
        changed = change(quote, field, rng)
        if kind != "none" and changed == quote:
            return None
        is_literal = changed in field.text
        return Plant(kind, changed, *span, frozenset({Grade.EXACT}) if is_literal else grades)

    return make


def _left_out(field: Field, rng: random.Random) -> Plant | None:
    """Words left out in the middle, with dots in their place."""
    span = field.span(rng)
    if span is None or span[1] - span[0] < 60:
        return None
    quote = field.text[span[0] : span[1]]
    first = _gap(quote[: len(quote) * 2 // 3], field, rng)
    last = _gap(quote[len(quote) // 3 :], field, rng)
    if first is None or last is None or first + 4 > (last := last + len(quote) // 3):
        return None
    head, tail = quote[:first].rstrip(), quote[last:].lstrip()
    if count(field.letters, letters(head)) != 1 or count(field.letters, letters(tail)) != 1:
        return None
    dots = rng.choice((" ... ", "...", " \u2026 ", " [...] ", " (\u2026) "))
    return Plant("words left out", f"{head}{dots}{tail}", *span, frozenset({Grade.PARTS}))


def _cut(field: Field, rng: random.Random) -> Plant | None:
    """Cut at the end, in a word or between two, with dots or without."""
    span = field.span(rng)
    if span is None or span[1] - span[0] < 60:
        return None
    end = span[1] - rng.randrange(1, 25)
    while end > span[0] and not is_of_word(field.text[end - 1]):
        end -= 1
    if unicodedata.category(field.text[end])[0] == "M":
        return None
    quote = field.text[span[0] : end]
    if count(field.letters, letters(quote)) != 1:
        return None
    if re.match(r"\s*[.\u2026]", field.text[end:]):
        return None  # dots of the document itself
    dots = rng.choice(("", "...", "\u2026", " ..."))
    grades = frozenset({Grade.EXACT}) if not dots else ANY
    return Plant("cut at the end", quote + dots, span[0], end, grades)


def _marked(field: Field, rng: random.Random) -> Plant | None:
    """The mark that stands in the prompt between two pages or cues, copied along."""
    if not field.marks:
        return None
    at, mark = rng.choice(field.marks)
    span = field.span(rng, around=at)
    if span is None or not span[0] < at < span[1]:
        return None
    quote = f"{field.text[span[0] : at].rstrip()}\n{mark}\n{field.text[at : span[1]].lstrip()}"
    return Plant("a mark of the prompt", quote, *span, ANY - {Grade.FUZZY})


DISTURBANCES: dict[str, Callable[[Field, random.Random], Plant | None]] = {
    **{kind: _changed(kind) for kind in _CHANGES},
    "words left out": _left_out,
    "cut at the end": _cut,
    "a mark of the prompt": _marked,
}
"""By name: what a model does to a quote."""


def _absent(kind: str, quote: str, field: Field) -> Plant | None:
    """A quote that is not there, unless it is after all: nearly all of its short pieces stand in the text."""
    own = letters(quote)
    pieces = [own[i : i + 12] for i in range(0, max(1, len(own) - 12), 3)]
    if not own or own in field.letters or sum(piece in field.letters for piece in pieces) > 0.85 * len(pieces):
        return None
    return Plant(kind, quote, 0, 0, frozenset({Grade.MISSING}))


def _of_others(field: Field, rng: random.Random) -> Plant | None:
    other = rng.choice(field.others) if field.others else ""
    span = field.span(rng, other) if len(other) > 1000 else None
    return None if span is None else _absent("of another document", other[span[0] : span[1]], field)


def _numbers(field: Field, rng: random.Random) -> Plant | None:
    """Every number another one of as many digits."""
    span = field.span(rng)
    quote = field.text[span[0] : span[1]] if span else ""
    if not re.search(r"\d", quote):
        return None
    changed = re.sub(
        r"\d+", lambda match: "".join(str((int(one) + rng.randrange(1, 9)) % 10) for one in match[0]), quote
    )
    return (
        None
        if letters(changed) in field.letters
        else Plant("numbers changed", changed, 0, 0, frozenset({Grade.MISSING}))
    )


def _pieces(quote: str, field: Field) -> list[str]:
    return re.findall(r"\S+", quote) if field.is_spaced else list(quote)


def _other_words(field: Field, rng: random.Random) -> Plant | None:
    """A third of the words or more replaced by others of the document."""
    span = field.span(rng)
    pieces = _pieces(field.text[span[0] : span[1]], field) if span else []
    if len(pieces) < 6:
        return None
    for i in rng.sample(range(len(pieces)), int(len(pieces) * rng.uniform(0.35, 0.6)) + 1):
        pieces[i] = rng.choice(field.words)
    return _absent("words replaced", (" " if field.is_spaced else "").join(pieces), field)


def _shuffled(field: Field, rng: random.Random) -> Plant | None:
    span = field.span(rng)
    pieces = _pieces(field.text[span[0] : span[1]], field) if span else []
    if len(pieces) < 6:
        return None
    mixed = rng.sample(pieces, len(pieces))
    return _absent("words shuffled", (" " if field.is_spaced else "").join(mixed), field)


def _invented(field: Field, rng: random.Random) -> Plant | None:
    return _absent("invented", rng.choice(field.invented), field) if field.invented else None


ABSENT: dict[str, Callable[[Field, random.Random], Plant | None]] = {
    "of another document": _of_others,
    "numbers changed": _numbers,
    "words replaced": _other_words,
    "words shuffled": _shuffled,
    "invented": _invented,
}
"""By name: why a quote is not there."""


def iter_plants(field: Field, n_each: int, seed: int) -> Iterator[Plant]:
    """Give so many plants of each kind, the same for the same seed; fewer of a kind that the text has no place for."""
    for kind, make in (DISTURBANCES | ABSENT).items():
        rng = random.Random(f"{seed} {kind} {field.language}")
        n_without = 0
        for _ in range(n_each):
            plant = next(filter(None, (make(field, rng) for _ in range(_TRIES))), None)
            if plant is not None:
                yield plant
            elif (n_without := n_without + 1) >= _MOST_WITHOUT:
                break
