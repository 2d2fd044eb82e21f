"""The README's pictures: `screenshots.py OUTPUT` writes the report of an output folder and photographs three pages.

docs/report-run.png, docs/report-document.png and, where the folder has an evaluation, docs/report-evaluation.png.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from pipeline.reports.html.write import write_report

DOCS = Path(__file__).parent
WIDTH, HEIGHT = 1280, 860
MOST_BYTES = 400_000


def main() -> int:
    """Take the pictures; 1 when one of them is too large for a README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--document", default="", help="part of the name of the document to show; else the most cited")
    parser.add_argument("--press", type=int, default=2, metavar="N", help="which of its values to choose")
    asked = parser.parse_args()
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = write_report(asked.output, Path(folder) / "report", 1000).folder
        as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=as_root)
        taken = [photograph(browser, report / "index.html", "report-run")]
        documents = [path for path in sorted((report / "documents").glob("*.html")) if asked.document in path.name]
        shown = max(documents, key=lambda path: path.read_text(encoding="utf-8").count("<mark"))
        taken.append(photograph(browser, shown, "report-document", keys="n" * asked.press))
        if (report / "evaluation.html").exists():
            taken.append(photograph(browser, report / "evaluation.html", "report-evaluation"))
        browser.close()
    for path in taken:
        print(f"{path} {path.stat().st_size:,} bytes")
    return int(any(path.stat().st_size > MOST_BYTES for path in taken))


def photograph(browser: Browser, path: Path, name: str, keys: str = "") -> Path:
    """What a person sees of a page at first, after these keys."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(path.as_uri())
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(300)
    picture = DOCS / f"{name}.png"
    page.screenshot(path=picture)
    page.close()
    return picture


if __name__ == "__main__":
    sys.exit(main())
