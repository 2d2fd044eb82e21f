"""The name of a document's page: readable where the uri is, and never anything but a plain file name."""

from __future__ import annotations

import hashlib
import re

from pipeline.reports.html.wording import file_name

_OTHER = re.compile(r"[^a-z0-9]+")
_STEM_CHARS = 40


def page_name(doc_id: str, uri: str) -> str:
    """For instance "supply-agreement-pdf-0f3c9a1b2d4e.html"; two doc_ids have two names."""
    stem = _OTHER.sub("-", file_name(uri).lower()).strip("-")[:_STEM_CHARS].strip("-") or "document"
    digest = hashlib.sha256(doc_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{stem}-{digest}.html"
