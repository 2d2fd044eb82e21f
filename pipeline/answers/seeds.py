"""Short pieces of a text by what they are: where a longer text that is not there to the letter may stand.

Every piece of so many characters (a q-gram) has a hash; equal pieces have equal hashes. A text that is similar shares
some of its pieces, and those lie on one diagonal: as far from its beginning as from where it begins in the text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WIDTH = 5
_WIDTH_UNSPACED = 3
"""Where letters are words or syllables."""
_FIRST_UNSPACED = 0x2E80
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MOST_HITS = 2_000
"""Places looked at for one text, those of its rarest pieces."""
_MOST_DIAGONALS = 4
_EMPTIER = 5
"""So many times fewer pieces than the most crowded stretch: not worth a look."""
_Hashes = NDArray[np.uint64]


class Seeds:
    """The pieces of one text.

    Attributes:
        width: Characters of a piece.

    Args:
        text: The text; takes memory of at most 16 bytes a character.
    """

    def __init__(self, text: str) -> None:
        codes = _codes(text)
        self.width = _WIDTH_UNSPACED if np.count_nonzero(codes >= _FIRST_UNSPACED) * 2 > len(codes) else _WIDTH
        hashes = _hashes(codes, self.width)
        self._places = np.argsort(hashes, kind="stable").astype(np.int32)
        ordered = hashes[self._places]
        firsts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else ordered
        self._starts = np.append(firsts, len(ordered)).astype(np.int32)
        self._hashes = np.append(ordered[self._starts[:-1]], np.uint64(0))  # the last stands for what is beyond all

    def hits(self, text: str) -> Hits:
        """Where the pieces of another text stand in this one."""
        hashes = _hashes(_codes(text), self.width)
        found = self._hashes[:-1].searchsorted(hashes)
        is_there = (self._hashes[found] == hashes) & (found < len(self._hashes) - 1)
        first = self._starts[found]
        n_hits = np.where(is_there, self._starts[np.minimum(found + 1, len(self._starts) - 1)] - first, 0)
        return Hits(self._places, len(text), first, n_hits)


@dataclass(frozen=True, slots=True)
class Hits:
    """The pieces of one text that stand in another.

    Attributes:
        places: Of all pieces of that other text, sorted by what they are.
        length: Characters of the text.
        first: For each of its pieces the first of the places that have it.
        n_hits: For each of its pieces how many have it.
    """

    places: NDArray[np.int32]
    length: int
    first: NDArray[np.int32]
    n_hits: NDArray[np.int64]

    @property
    def are_complete(self) -> bool:
        """Whether every piece is there, as they are where the whole text stands."""
        return bool(self.n_hits.all())

    def candidates(self, most: int) -> list[int] | None:
        """Where the whole text can stand, in order, by its rarest piece; None when there may be more than so many."""
        if not len(self.n_hits):
            return None
        rarest = int(self.n_hits.argmin())
        n_hits, first = int(self.n_hits[rarest]), int(self.first[rarest])
        if n_hits > most:
            return None
        return sorted(place - rarest for place in self.places[first : first + n_hits].tolist() if place >= rarest)

    def diagonals(self) -> list[int]:
        """Where a similar text may begin, the likeliest first; it may be off by as many as are left out or added."""
        rarest = np.argsort(self.n_hits, kind="stable")
        n_taken = int(np.searchsorted(np.cumsum(self.n_hits[rarest]), _MOST_HITS, "right"))
        offsets = rarest[: max(n_taken, 1)]
        n_hits = np.minimum(self.n_hits[offsets], _MOST_HITS)
        total = int(n_hits.sum())
        if not total:
            return []
        starts = np.repeat(self.first[offsets] - (np.cumsum(n_hits) - n_hits), n_hits)
        hits = self.places[starts + np.arange(total)]
        return _crowded(np.sort(hits - np.repeat(offsets, n_hits)), max(8, self.length // 5))


def _crowded(diagonals: NDArray[np.int64], width: int) -> list[int]:
    """The middles of the most crowded stretches of so many diagonals, most crowded first; none that are far emptier."""
    found: list[int] = []
    least = 1
    while len(diagonals) >= least and len(found) < _MOST_DIAGONALS:
        n_near = diagonals.searchsorted(diagonals + width, "right") - np.arange(len(diagonals))
        first = int(n_near.argmax())
        n_most = int(n_near[first])
        if n_most < least:
            break
        near = diagonals[first : first + n_most]
        found.append(int(near[0] + np.bincount(near - near[0]).argmax()))
        diagonals = np.concatenate((diagonals[:first], diagonals[first + n_most :]))
        least = max(least, n_most // _EMPTIER)
    return found


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _hashes(codes: NDArray[np.uint32], width: int) -> _Hashes:
    """The hash of each piece; wraps around, as it should."""
    n_pieces = max(0, len(codes) - width + 1)
    hashes = np.zeros(n_pieces, dtype=np.uint64)
    for i in range(width):
        hashes = hashes * _MULTIPLIER + codes[i : i + n_pieces]
    return hashes
