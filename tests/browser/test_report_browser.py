"""The report in a real browser: from the disk, by mouse and by keyboard, wide and narrow, friendly and hostile."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_output import MadeOutput, good_output
from playwright.sync_api import Browser, Page

from pipeline.reports.html.naming import page_name
from pipeline.reports.html.write import write_report

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
SUPPLY = "in/supply.pdf"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def report_of(made: MadeOutput) -> Path:
    output = made.write()
    return write_report(output, output / "report", 1000).folder


def page_of(report: Path, doc_id: str) -> Path:
    return report / "documents" / page_name(doc_id, doc_id)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = good_output(tmp_path_factory.mktemp("report") / "out")
    made.evaluation = EVALUATION
    return report_of(made)


S = {"precision": [0.5, 0.2, 0.8], "recall": [1.0, 0.7, 1.0], "f1": [0.667, 0.4, 0.9], "support": 3}
OUTCOMES = {"correct": 1, "wrong": 1, "omitted": 1, "hallucinated": 0, "absent": 2}
WRONG = [{"doc_id": SUPPLY, "outcome": "wrong", "gold": "2025-03-04", "found": "<img src=x onerror=alert(1)>"}]
EVALUATION = {
    "job": "made", "gold": "gold.csv", "output_run_id": "r", "created_at": "2026-01-02T03:04:05+00:00",
    "tasks": {"contract": {"n_documents": 3, "n_unmatched": 1, "fields": {
        "signed_on": {"exact": S, "normalized": S, "outcomes": OUTCOMES, "examples": WRONG}}}},
    "answers": {"n_questions": 4, "n_valid": 4, "valid_ratio": [1.0, 0.6, 1.0]},
    "evidence": {"n_cited": 8, "ratio": [0.75, 0.4, 0.9]},
    "latency_s": {"p50": 1.0, "p95": 2.0, "p99": 3.0}, "tokens": {"input": 12345, "cached": 0, "output": 7},
    "gates": [{"name": "min_f1", "limit": 0.9, "found": 0.667, "passes": False, "sentence": "signed_on has 0.667 <b>"}],
    "against": {
        "output": "out/before", "output_run_id": "r0",
        "tasks": {"contract": {"n_documents": 3, "only_now": [], "only_before": [], "fields": {"signed_on": {
            "before": [0.9, 0.8, 1.0], "now": [0.667, 0.4, 0.9], "difference": [-0.233, -0.4, -0.1],
            "n_better": 0, "n_worse": 1, "better": [],
            "worse": [{"doc_id": SUPPLY, "uri": SUPPLY, "gold": "2025-03-04", "before": "2025-03-04", "now": None}]}}}},
        "protocol": [{"name": "acceptable", "passes": False, "sentence": "94 % are as the gold has them"}],
    },
}  # fmt: skip


def marked(page: Page) -> list[str]:
    return page.locator("mark.on").all_inner_texts()


def is_in_sight(page: Page, selector: str) -> bool:
    box = page.locator(selector).first.bounding_box()
    return box is not None and 0 <= box["y"] < 800


def test_a_value_leads_to_its_sentence_and_a_sentence_to_its_values(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, SUPPLY))
    page.get_by_role("button", name="2025-03-03", exact=True).click()
    assert marked(page) == ["made on 3 March 2025"]
    page.locator("mark", has_text="Signed in Lyon").click()
    assert page.locator("#values .on").all_inner_texts()[0] == "Alder Mills Ltd"
    assert page.evaluate("document.activeElement.textContent").find("Signed in Lyon") > 0


def test_overlapping_quotes_lead_to_all_their_values(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, SUPPLY))
    page.locator("mark", has_text="Alder Mills Ltd (the Seller)").first.click()
    assert page.locator("#values button.text.on").all_inner_texts() == ["Alder Mills Ltd", "Birch & Sons GmbH"]


def test_a_value_with_two_quotes_shows_one_after_the_other(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, SUPPLY))
    value = page.get_by_role("button", name="Alder Mills Ltd", exact=True)
    value.click()
    assert "between " in marked(page)
    value.click()
    assert marked(page) == ["Signed in Lyon by Alder Mills Ltd."]


def test_what_is_doubtful_says_why(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, "in/lease.pdf"))
    assert page.get_by_text("The quote is not in what the model read.").is_visible()
    assert page.get_by_text("The quote is there, and says something else than the value.").is_visible()
    assert page.locator("mark.wrong").all_inner_texts() == ["The rent is 900 a month."]
    other = open_page(page_of(report, SUPPLY))
    assert other.get_by_text("the model counted 4 parties and listed 2").is_visible()
    other.get_by_text("1 other answer lost").click()
    assert other.get_by_text("Agreement of sale").is_visible()
    assert other.get_by_text("1 cited, but not in the row").is_visible()
    assert other.locator(".segment", has_text="image only").count() == 1


def test_the_keyboard_alone_is_enough(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, SUPPLY))
    for quote in ("SUPPLY AGREEMENT", "made on 3 March 2025"):
        page.keyboard.press("n")
        assert marked(page)[0] == quote
    page.keyboard.press("p")
    assert marked(page) == ["SUPPLY AGREEMENT"]
    page.keyboard.press("Escape")
    assert marked(page) == []
    page.locator("mark").first.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className").startswith("cite")
    page.keyboard.press("/")
    page.keyboard.type("birch")
    assert page.locator("#values .value:not(.group):visible").count() == 1
    assert page.locator("#said").inner_text() == "1 value"


def test_values_are_filtered_by_what_is_wrong_with_them(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, SUPPLY))
    page.get_by_label("conflicts").check()
    assert page.locator("#values .value:visible .name").all_inner_texts() == ["title"]
    page.get_by_label("conflicts").uncheck()
    page.get_by_label("unverified").check()
    assert page.locator("#values .value:visible .name").all_inner_texts() == ["/signed_on"]
    page.locator("mark", has_text="SUPPLY").click()  # its value is hidden by the filter, which gives way
    assert page.locator("#values button.text.on:visible").all_inner_texts() == ["SUPPLY AGREEMENT"]


def test_the_list_of_documents_is_searched_filtered_and_sorted(report: Path, open_page: Open) -> None:
    page = open_page(report / "index.html")
    names = page.locator("#list tbody tr td:first-child > :first-child")
    assert sorted(names.all_inner_texts()) == ["lease.pdf", "scan.pdf", "supply.pdf", "رسالة.pdf"]
    page.keyboard.press("/")
    page.keyboard.type("none with")
    assert names.all_inner_texts() == ["scan.pdf"]
    page.locator("#search").fill("")
    page.get_by_label("unverified").check()
    assert sorted(names.all_inner_texts()) == ["lease.pdf", "supply.pdf"]
    page.get_by_label("unverified").uncheck()
    page.get_by_label("Status").select_option("read")
    assert page.locator("#count").inner_text() == "2 of 4 documents"
    page.get_by_label("Status").select_option("")
    page.get_by_role("button", name="tokens", exact=True).click()
    assert names.all_inner_texts() == ["supply.pdf", "رسالة.pdf", "lease.pdf", "scan.pdf"]
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    names.first.click()
    page.wait_for_url("**/documents/*")
    assert page.locator("h1").inner_text() == "supply.pdf"
    page.get_by_role("link", name="Run").click()
    page.wait_for_url("**/index.html")


def test_a_sum_that_does_not_close_and_a_gate_that_failed_are_seen(tmp_path: Path, open_page: Open) -> None:
    made = good_output(tmp_path / "out")
    made.sums.append({"name": "rows = lines of records/", "left": 3, "right": 2, "closes": False})
    made.exit_code, made.failed_gates = 5, ["gates.min_evidence_ratio is 0.9, and 6 of 8 are verified."]
    page = open_page(report_of(made) / "index.html")
    assert page.get_by_text("1 of 2 sums close").is_visible()
    assert page.get_by_text("does not close").is_visible()
    assert (
        page.get_by_role("alert").inner_text()
        == "Gate failed. gates.min_evidence_ratio is 0.9, and 6 of 8 are verified."
    )
    assert page.get_by_text("exit 5: committed, but a gate failed").is_visible()


def test_the_evaluation_is_told(report: Path, open_page: Open) -> None:
    page = open_page(report / "evaluation.html")
    assert page.get_by_role("alert").inner_text() == "Gate failed. signed_on has 0.667 <b>"
    assert page.locator(".fields td.strong").inner_text() == "66.7 %"
    page.get_by_text("signed_on: what went wrong").click()
    assert page.get_by_text("<img src=x onerror=alert(1)>").is_visible()
    assert page.get_by_text("94 % are as the gold has them").is_visible()
    assert page.get_by_text("-23.3 %").is_visible()
    assert page.locator(".chip.bad", has_text="worse").is_visible()
    page.get_by_text("signed_on: what changed").click()
    page.get_by_role("link", name="supply.pdf").last.click()
    page.wait_for_url("**/documents/*")


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_no_page_is_wider_than_the_screen(report: Path, open_page: Open, width: int) -> None:
    for path in report.rglob("*.html"):
        page = open_page(path, width=width)
        assert page.evaluate(OVERFLOW) == 0, path.name
        page.context.close()


def test_dark_as_the_system_or_by_the_switch(report: Path, open_page: Open) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    dark = open_page(report / "index.html", color_scheme="dark").evaluate(background)
    page = open_page(report / "index.html", color_scheme="light")
    light = page.evaluate(background)
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 23, 27)")
    page.locator("#theme").click()
    assert page.evaluate(background) == dark
    assert page.locator("#theme").get_attribute("aria-label") == "Colours: dark"
    page.reload()
    assert page.evaluate(background) == dark


def test_right_to_left_text_begins_at_the_right(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, "in/رسالة.pdf"))
    mark, block = page.locator("mark").bounding_box(), page.locator(".block").bounding_box()
    assert mark is not None
    assert block is not None
    assert abs((mark["x"] + mark["width"]) - (block["x"] + block["width"])) < 3


PAYLOADS = [
    "<script>window.pwned=1;alert(1)</script>",
    "</script><script>window.pwned=1;alert(1)</script>",
    "</mark></title></style><img src=x onerror='window.pwned=1;alert(1)'>",
    '"><svg/onload=window.pwned=1>',
    "javascript:alert(1)",
    "<!--<script>{{ 7*7 }}{% raw %}",
    "]]>&lt;script&gt;&#x3c;b&#x3e;\u2028\u2029",
    "\u202e\u2066gnp.exe\x00\x1b[31m\ufeff",
    "http://192.0.2.1/beacon.png",
]


def hostile(folder: Path) -> MadeOutput:
    made = MadeOutput(folder)
    pages = [*PAYLOADS, "".join(PAYLOADS)]
    for number, payload in enumerate(PAYLOADS):
        doc_id = f"in/{payload}{number}"
        row = {"title": payload, "parties": [{"name": payload, "role": payload}]}
        made.document(doc_id, pages, row, format=payload)
        for segment in made.lines["documents"][-1]["segments"]:
            segment |= {"page_label": payload, "speaker": payload, "detail": payload, "start_ms": 1}
        made.cite(doc_id, "/title", payload, payload, page_label=payload, speaker=payload)
        made.cite(doc_id, f"/{payload}", payload, f"missing {payload}")
        made.cite(doc_id, "/parties/0/name", payload, pages[1][:20])
        made.lines["evidence"][-1]["value"] = payload
        made.conflict(doc_id, "/title", payload, payload, policy=payload)
        made.conflict(doc_id, payload, payload, payload)
        made.lines["conflicts"][-1] |= {"kept": payload, "lost": payload}
        made.reject(doc_id, "list_short", payload)
        made.reject(f"{doc_id} lost", "corrupt", payload, is_source=True)
    made.failed_gates = PAYLOADS
    made.evaluation = {**EVALUATION, "gold": PAYLOADS[1], "job": PAYLOADS[2]}
    return made


def test_a_hostile_document_is_inert_and_shown(tmp_path: Path, open_page: Open) -> None:
    report = report_of(hostile(tmp_path / "out"))
    paths = sorted(report.rglob("*.html"))
    assert len(paths) == 2 + len(PAYLOADS)
    page = open_page(paths[0])
    for path in paths:
        page.goto(path.as_uri())
        page.keyboard.press("n")
        assert page.evaluate("window.pwned") is None
        ours = {"index.html": 4, "evaluation.html": 1}.get(path.name, 2)
        assert page.locator("script").count() <= ours
        assert page.locator("img, iframe, object, embed, link, video, [onerror], [onload], [style]").count() == 0
        assert page.evaluate("[...document.links].filter(a => !/^file:/.test(a.href)).length") == 0
        assert page.evaluate(OVERFLOW) == 0
    page.goto(page_of(report, f"in/{PAYLOADS[0]}0").as_uri())
    assert PAYLOADS[0] in str(page.locator("#text .block").first.text_content())
    page.goto((report / "index.html").as_uri())
    assert page.locator("#list tbody tr").count() == 2 * len(PAYLOADS)


def test_the_policy_would_stop_a_script_that_got_in(report: Path, browser: Browser, tmp_path: Path) -> None:
    text = (report / "index.html").read_text().replace("<footer>", "<footer><script>window.pwned = 1</script>")
    (tmp_path / "index.html").write_text(text)
    said: list[str] = []
    quiet = browser.new_page()
    quiet.on("console", lambda message: said.append(message.text))
    quiet.goto((tmp_path / "index.html").as_uri())
    assert quiet.evaluate("window.pwned") is None
    assert any("Content Security Policy" in text for text in said)
    quiet.close()


def test_a_document_of_thousands_of_pages_opens_and_its_last_value_is_found(tmp_path: Path, open_page: Open) -> None:
    made = MadeOutput(tmp_path / "out")
    pages = [f"Page {number} begins. " + "The parties go on agreeing. " * 75 + "\n" for number in range(2415)]
    pages[-1] += "Signed by Alder Mills Ltd."
    made.document("long", pages, {"title": "Alder Mills Ltd"})
    made.cite("long", "/title", "Alder Mills Ltd", "Signed by Alder Mills Ltd.")
    report = report_of(made)
    path = page_of(report, "long")
    assert path.stat().st_size < 1.2 * sum(map(len, pages)) + 500_000
    page = open_page(path)
    page.keyboard.press("n")
    page.wait_for_timeout(300)
    assert is_in_sight(page, "mark.on")
    assert page.locator(".strip a").count() <= 120


def test_a_line_of_ten_million_characters_opens(tmp_path: Path, open_page: Open) -> None:
    made = MadeOutput(tmp_path / "out")
    made.document("line", ["x" * 10_000_000 + " Signed by Alder Mills Ltd."], {"title": "Alder"})
    made.cite("line", "/title", "Alder", "Signed by Alder Mills Ltd.")
    page = open_page(page_of(report_of(made), "line"))
    page.set_default_timeout(20_000)
    page.keyboard.press("n")
    page.wait_for_timeout(500)
    assert is_in_sight(page, "mark.on")
    assert page.evaluate(OVERFLOW) == 0


def test_a_list_of_ten_thousand_documents_is_searched_at_once(tmp_path: Path, open_page: Open) -> None:
    made = MadeOutput(tmp_path / "out")
    for number in range(10_000):
        made.document(f"d{number}", [], uri=f"in/d{number}.pdf", n_tokens=number)
    made.reject("d9999", "list_short", "the last one")
    output = made.write()
    written = write_report(output, output / "report", 3)
    assert (written.n_documents, written.n_left_out) == (3, 9997)
    page = open_page(written.folder / "index.html")
    assert page.locator("#list tbody tr").count() == 100
    assert page.locator("#list tbody tr").first.inner_text().startswith("d9999.pdf")
    assert page.get_by_text("9,997 documents have no page here").is_visible()
    took_ms = page.evaluate(
        "() => { const s = document.getElementById('search'), t = performance.now(); s.value = 'd4321';"
        " s.dispatchEvent(new Event('input', {bubbles: true})); return performance.now() - t }"
    )
    assert took_ms < 500
    assert page.locator("#count").inner_text() == "1 of 10,000 documents"


def test_the_value_that_is_chosen_is_named_where_its_list_is_out_of_sight(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, SUPPLY), width=390)
    page.keyboard.press("n")
    page.wait_for_timeout(300)
    assert page.locator("#said").inner_text() == "title: page 1, exact, unchecked"
    assert is_in_sight(page, "#said")
    assert is_in_sight(page, "mark.on")


def test_paper_is_white_and_keeps_the_marks(report: Path, open_page: Open) -> None:
    page = open_page(page_of(report, SUPPLY), color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('mark')).printColorAdjust") == "exact"
    assert page.locator("#filters").is_hidden()


def test_a_report_without_quotes_says_that_nothing_is_verified(tmp_path: Path, open_page: Open) -> None:
    made = MadeOutput(tmp_path / "out")
    made.document("in/plain.pdf", ["LEASE\n"], {"title": "Lease"})
    made.reject("in/scan.pdf", "image_only", "no text", is_source=True)
    report = report_of(made)
    page = open_page(report / "index.html")
    assert page.get_by_text("so no value here is verified").is_visible()
    assert page.get_by_text("1 of 2 sources gave no document").is_visible()
    assert page.get_by_label("unverified").is_hidden()
    assert page.locator("#list th:visible").all_inner_texts()[-1] == "conflicts"
    assert open_page(page_of(report, "in/plain.pdf")).get_by_label("unverified").is_hidden()


def test_the_folder_of_a_version_without_evidence_has_a_report(tmp_path: Path, open_page: Open) -> None:
    made = MadeOutput(tmp_path / "out")
    made.document("in/plain.pdf", ["LEASE\n"], {"title": "Lease"})
    output = made.write()
    shutil.rmtree(output / "evidence")
    path = next((output / "documents").rglob("*.parquet"))
    pq.write_table(pq.ParquetFile(path).read().drop_columns(["segments_cited"]), path)
    report = write_report(output, output / "report", 1000).folder
    assert open_page(page_of(report, "in/plain.pdf")).locator(".coverage").count() == 0


def test_many_failed_gates_leave_room_for_the_figures(tmp_path: Path, open_page: Open) -> None:
    made = good_output(tmp_path / "out")
    gates = [{"name": "min_f1", "passes": False, "sentence": f"Field {n} has F1 0.1."} for n in range(60)]
    made.evaluation = {**EVALUATION, "gates": gates, "output_run_id": made.run_id}
    page = open_page(report_of(made) / "evaluation.html")
    assert page.get_by_role("alert").count() == 3
    assert page.get_by_text("57 more gates failed").is_visible()
    assert page.get_by_text("0 of 60 gates pass").is_visible()
    assert is_in_sight(page, ".figures")
    assert page.get_by_text("Out of date.").count() == 0


def test_an_evaluation_of_an_earlier_run_says_so(report: Path, open_page: Open) -> None:
    page = open_page(report / "evaluation.html")
    assert "was committed since. Evaluate again" in page.locator(".alarm.warn").inner_text()
