"""The benchmark of answers: what it adds up and what it writes; the answers themselves take a real engine."""

import answers
from answers import Line


def line(model: str, schema: str, max_tokens: int, n_valid: int, median_tokens: float) -> Line:
    return Line(model, schema, max_tokens, max_tokens - 3, 5, 5, n_valid, 5 - n_valid, 0, median_tokens)


def test_totals_are_by_writer_and_number_of_tokens() -> None:
    lines = [line("a", "x", 64, 5, 10), line("a", "y", 64, 4, 20), line("a", "x", 512, 5, 30), line("b", "x", 64, 5, 9)]
    found = list(answers.build_totals(lines))
    assert [(total.model, total.max_tokens, total.n_answers, total.n_valid) for total in found] == [
        ("a", 64, 10, 9),
        ("a", 512, 5, 5),
        ("b", 64, 5, 5),
    ]
    assert found[0].schema == "2 schemas"
    assert found[0].median_tokens == 15


def test_a_line_is_a_row_of_the_table() -> None:
    header, rule, row = answers.build_table([line("a", "x", 64, 4, 10.5)])
    assert header.count("|") == rule.count("|") == row.count("|")
    assert row == "| a | x | 64 | 61 | 5 | 5 | 4 | 1 | 0 | 10.5 |"
