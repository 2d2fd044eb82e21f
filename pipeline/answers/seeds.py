"""Short pieces of a text by what they are: where a longer text that is not there to the letter may stand.

Every piece of so many characters (a q-gram) has a hash; equal pieces have equal hashes. A text that is similar shares
some of its pieces, and those lie on one diagonal: as far from its beginning as from where it begins in the text.
"""

from __future__ import annotations

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
_Hashes = NDArray[np.uint64]


class Seeds:
    """The pieces of one text.

    Attributes:
        width: Characters of a piece.

    Args:
        text: The text; takes memory of 12 bytes a character.
    """

    def __init__(self, text: str) -> None:
        codes = _codes(text)
        self.width = _WIDTH_UNSPACED if np.count_nonzero(codes >= _FIRST_UNSPACED) * 2 > len(codes) else _WIDTH
        hashes = _hashes(codes, self.width)
        self._places = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._places]

    def diagonals(self, text: str) -> list[int]:
        """Where a similar text may begin, the likeliest first; it may be off by as many as are left out or added."""
        hashes = _hashes(_codes(text), self.width)
        first = np.searchsorted(self._hashes, hashes, "left")
        n_hits = np.searchsorted(self._hashes, hashes, "right") - first
        rarest = np.argsort(n_hits, kind="stable")
        n_taken = int(np.searchsorted(np.cumsum(n_hits[rarest]), _MOST_HITS, "right"))
        offsets = rarest[: max(n_taken, 1)]
        n_hits = np.minimum(n_hits[offsets], _MOST_HITS)
        total = int(n_hits.sum())
        if not total:
            return []
        starts = np.repeat(first[offsets] - (np.cumsum(n_hits) - n_hits), n_hits)
        hits = self._places[starts + np.arange(total)]
        return _crowded(np.sort(hits - np.repeat(offsets, n_hits)), max(8, len(text) // 5))


def _crowded(diagonals: NDArray[np.int64], width: int) -> list[int]:
    """The middles of the most crowded stretches of so many diagonals, most crowded first."""
    found: list[int] = []
    while len(diagonals) and len(found) < _MOST_DIAGONALS:
        n_near = np.searchsorted(diagonals, diagonals + width, "right") - np.arange(len(diagonals))
        first = int(np.argmax(n_near))
        near = diagonals[first : first + int(n_near[first])]
        values, counts = np.unique(near, return_counts=True)
        found.append(int(values[np.argmax(counts)]))
        diagonals = np.concatenate((diagonals[:first], diagonals[first + len(near) :]))
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
