"""Part of make check: no module of the pipeline above 300 lines, no function above 60."""

import ast
import sys
from pathlib import Path

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60


def main() -> int:
    """Print what is too long; 1 if anything is."""
    found = 0
    for path in sorted(Path("pipeline").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        n_lines = len(text.splitlines())
        if n_lines > MAX_MODULE_LINES:
            found += 1
            print(f"{path}: {n_lines} lines, at most {MAX_MODULE_LINES}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                n_lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if n_lines > MAX_FUNCTION_LINES:
                    found += 1
                    print(f"{path}:{node.lineno} {node.name}: {n_lines} lines, at most {MAX_FUNCTION_LINES}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
