"""A figure beside its limit, with as many digits as keep a sentence about both true."""

from __future__ import annotations

_MOST_DECIMALS = 17


def told(found: float, limit: float, n_decimals: int) -> str:
    """`found` with at least this many decimals, and with so many that it reads as above, at or below the limit.

    0.799 held against 0.8 is "0.799", not "0.80".
    """
    for n in range(n_decimals, _MOST_DECIMALS + 1):
        text = f"{found:.{n}f}"
        if _side(float(text), limit) == _side(found, limit):
            return text
    return repr(found)


def limit_text(limit: float) -> str:
    """A limit as the job has it: "0.8", "1"."""
    return repr(float(limit)).removesuffix(".0")


def _side(value: float, limit: float) -> int:
    return (value > limit) - (value < limit)
