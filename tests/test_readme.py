"""The README's list of files is the modules' own first lines; its commands and links exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
START, END = "<!-- files: rewritten by make goldens -->\n", "<!-- end of files -->"


def build_list() -> str:
    """A line for each module: its path, and the first sentence of its docstring."""
    lines = []
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        first = doc.split("\n\n")[0].replace("\n", " ")
        lines.append(f"- `{path.relative_to(ROOT)}`: {first}")
    return "\n".join(lines) + "\n"


def test_the_readme_lists_every_file_in_its_own_words(rewrite_goldens: bool) -> None:
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    listed, after = rest.split(END)
    if rewrite_goldens:
        README.write_text(before + START + build_list() + END + after, encoding="utf-8")
    else:
        assert listed == build_list(), "run make goldens"


def test_the_readme_names_targets_that_exist() -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z]+)\b", README.read_text(encoding="utf-8"), re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets
    assert {"demo", "test", "check", "help", "corpus"} <= named


def test_the_readme_gives_every_exit_code() -> None:
    from pipeline.errors import PipelineError

    text = README.read_text(encoding="utf-8")
    kinds: list[type[PipelineError]] = [PipelineError, *PipelineError.__subclasses__()]
    for code in {0, 5, *(kind.exit_code for kind in kinds)}:
        assert f"\n| {code} |" in text
