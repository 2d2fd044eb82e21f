"""Templates in, whole pages out: each stands alone and may run nothing but its own script.

Everything is escaped, styles and scripts stand in the page, and its policy allows them by their hash and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline import __version__
from pipeline.reports.html import wording

_STYLE = "style.css"


@cache
def environment() -> Environment:
    """The templates of this package: all is escaped, and a name that is not there is an error."""
    made = Environment(
        loader=PackageLoader("pipeline.reports.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=wording.visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        wording.label,
        wording.short,
        wording.file_name,
        wording.number,
        wording.compact,
        wording.percent,
        wording.duration,
        wording.moment,
        wording.in_words,
        wording.json_in_words,
    ):
        made.filters[function.__name__] = function
    made.globals["version"] = __version__
    return made


def render_page(template: str, scripts: tuple[str, ...], **facts: Any) -> str:  # noqa: ANN401 - what the template names
    """One page.

    Args:
        template: Its name in `templates/`.
        scripts: Names of its scripts there, in order; `theme.js` comes first in any case.
        facts: What it tells.
    """
    style = _asset(_STYLE)
    sources = [_asset(name) for name in ("theme.js", *scripts)]
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, sources))}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    page = environment().get_template(template)
    first, *rest = (Markup(source) for source in sources)
    return page.render(policy=policy, style=Markup(style), theme=first, scripts=rest, **facts)


@cache
def _asset(name: str) -> str:
    return (files("pipeline.reports.html") / "templates" / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    """A source of the Content Security Policy (level 3, section 2.3.1) for what stands between the tags."""
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return f"'sha256-{digest}'"
