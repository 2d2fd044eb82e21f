"""A job made ready: everything a run needs that can be wrong is loaded here, before any work is done."""

from __future__ import annotations
