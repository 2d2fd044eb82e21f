"""The formats that the validator asserts, each by texts on both sides of its border."""

import pytest

from pipeline.schema.formats import build_format_checker

CHECKER = build_format_checker()


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "date-time",
            ["2024-02-29T23:59:60Z", "2024-01-01t00:00:00.5z", "1990-12-31T15:59:60-08:00"],
            [
                "2023-02-29T00:00:00Z",
                "2024-01-01T00:00:00",
                "2024-01-01 00:00:00Z",
                "2024-01-01T12:00:60Z",
                "2024-01-01T00:00:00Z\n",
            ],
        ),
        (
            "time",
            ["23:59:60Z", "08:30:06+00:20", "01:29:60+01:30"],
            ["24:00:00Z", "08:30:06", "08:30:60Z", "\u06608:30:06Z"],
        ),
        (
            "duration",
            ["P4DT12H30M5S", "P1W", "PT36H", "P1Y"],
            ["P", "PT", "P1YT", "P1Y2W", "PT1H5S", "P1.5D", "-P1D", "1D"],
        ),
        (
            "uuid",
            ["2EB8AA08-aa98-11ea-b4aa-73b441d16380"],
            ["2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4aa-73b441d1638\n"],
        ),
        (
            "email",
            ["a.b+c@example.com", '"joe bloggs"@x.org', "a@[127.0.0.1]", "a@[IPv6:::1]"],
            ["a", "@x.org", "a@", ".a@x.org", "a..b@x.org", "a b@x.org", "a@[127.0.0.300]", "a@x.org, b@x.org"],
        ),
        (
            "hostname",
            ["a", "www.example.com", "xn--nxasmq6b", "a" * 63],
            ["-a", "a-", "a_b", "a..b", "", "a" * 64, "a.\n", "\u212a"],
        ),
        ("relative-json-pointer", ["0", "1/a~0b", "12#"], ["01", "/a", "-1", "0##", "\u0661"]),
        ("regex", ["", "a{2}", "[a-z]+"], ["(", "a{99999999999}", "(" * 5000]),
        ("date", ["2024-02-29"], ["2024-02-30", "20240229"]),
    ],
)
def test_a_format(name: str, good: list[str], bad: list[str]) -> None:
    assert [text for text in good if not CHECKER.conforms(text, name)] == []
    assert [text for text in bad if CHECKER.conforms(text, name)] == []
    assert CHECKER.conforms(5, name), "a format is about strings"
