"""Values held against the words of documents, in fourteen languages, and whatever else may stand there."""

# ruff: noqa: SIM905 - letters that look like others are what this is about

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.agreement import Agreement, agree
from pipeline.schema.columns import Column, Kind
from pipeline.schema.json_text import JSON

INTEGER, FLOAT, DECIMAL = Column("n", Kind.INTEGER), Column("n", Kind.FLOAT), Column("n", Kind.DECIMAL, scale=2)
DATE, TIMESTAMP, TIME = Column("d", Kind.DATE), Column("d", Kind.TIMESTAMP), Column("d", Kind.TIME)
STRING, ENUM = Column("s", Kind.STRING), Column("s", Kind.ENUM)
YES, NO, OPEN = Agreement.AGREES, Agreement.DISAGREES, Agreement.UNCHECKED

NUMBERS: list[tuple[str, str, int | float, Agreement]] = [
    ("en", "a total price of $1,234.56, payable at closing", 1234.56, YES),
    ("en", "a total price of $1,234.56, payable at closing", 1234.57, NO),
    ("en", "shall terminate after twelve (12) months", 12, YES),
    ("en", "shall terminate after twelve months", 12, YES),
    ("en", "shall terminate after twelve months", 10, NO),
    ("en", "shall terminate after a reasonable time", 10, OPEN),
    ("en", "for a period of two hundred and fifty days", 250, YES),
    ("en", "for a period of two hundred fifty days", 250, YES),
    ("en", "for a period of two hundred and fifty days", 200, NO),
    ("en", "raised $5m in its first round", 5_000_000, YES),
    ("en", "raised $5.2 million in its first round", 5_200_000, YES),
    ("en", "raised $5.2 million in its first round", 5.2, OPEN),
    ("en", "raised between 5 and 6 million dollars", 5_000_000, OPEN),
    ("en", "a market of 1.5bn users", 1_500_000_000, YES),
    ("en", "interest at 5 % a year", 5, YES),
    ("en", "interest at 5% a year", 0.05, YES),
    ("en", "interest at 5 per cent a year", 0.05, YES),
    ("en", "interest at 5% a year", 0.5, NO),
    ("en", "a spread of 25 basis points", 25, YES),
    ("en", "a spread of 25 bps", 0.0025, YES),
    ("en", "net loss of (1,234) thousand", -1_234_000, YES),
    ("en", "net income (loss): (1,234)", -1234, YES),
    ("en", "net income: 1,234", -1234, OPEN),
    ("en", "at -5 degrees", -5, YES),
    ("en", "at \u22125 degrees", -5, YES),
    ("en", "at \u22125 degrees", 5, NO),
    ("en", "pages 5-10", 10, YES),
    ("en", "the 3rd quarter", 3, YES),
    ("en", "in the third year", 3, YES),
    ("en", "no third party may claim", 5, OPEN),
    ("en", "once upon a time", 11, OPEN),
    ("en", "Series A4 notes", 7, OPEN),
    ("en", "nineteen ninety-seven was a good year", 1997, YES),
    ("en", "the fiscal year 2019/20", 2020, OPEN),
    ("en", "one million shares", 1_000_000, YES),
    ("en", "a thousand shares", 1000, YES),
    ("en", "measured 1.5e6 particles", 1_500_000, YES),
    ("en", ".5 acres", 0.5, YES),
    ("en", "2½ years", 2.5, OPEN),
    ("en", "0.12345678901234567890 exactly", 0.12345678901234568, YES),
    ("en", "Rs 12,34,567 only", 1_234_567, YES),
    ("en", "Rs 2 lakh 50 thousand", 250_000, YES),
    ("en", "Rs 3.5 crore", 35_000_000, YES),
    ("fr", "un montant de 1\u202f234\u202f567,89 €", 1_234_567.89, YES),
    ("fr", "un montant de 1\u00a0234,56 €", 1234.56, YES),
    ("fr", "soit 3 millions d'euros", 3_000_000, YES),
    ("fr", "soit 2,5 milliards d'euros", 2_500_000_000, YES),
    ("fr", "quatre-vingt-dix-sept jours", 97, YES),
    ("fr", "vingt et un jours", 21, YES),
    ("fr", "vingt et un jours", 20, NO),
    ("fr", "un taux de 5,5 pour cent", 0.055, YES),
    ("fr", "la 3e édition", 3, YES),
    ("fr", "la première édition", 1, YES),
    ("fr", "le trente et unième jour", 31, YES),
    ("de", "ein Betrag von 1.234.567,89 EUR", 1_234_567.89, YES),
    ("de", "ein Betrag von 1.234 EUR", 1234, YES),
    ("de", "etwa 4,5 Mio. Euro", 4_500_000, YES),
    ("de", "rund 2 Mrd. Euro", 2_000_000_000, YES),
    ("de", "innerhalb von einundzwanzig Tagen", 21, YES),
    ("de", "innerhalb von vierzehn Tagen", 21, NO),
    ("de", "zweihundertfünfzig Seiten", 250, YES),
    ("de", "im dritten Jahr", 3, YES),
    ("de", "die 3. Auflage", 3, YES),
    ("de", "zehn Prozent", 10, YES),
    ("de", "10 Prozent", 0.1, YES),
    ("ch", "Fr. 12'345.60", 12345.6, YES),
    ("ch", "Fr. 12’345.60", 12345.6, YES),
    ("es", "un total de 1.234,56 euros", 1234.56, YES),
    ("es", "cuarenta y cinco días", 45, YES),
    ("es", "cuarenta y cinco días", 40, NO),
    ("es", "5 mil pesos", 5000, YES),
    ("es", "el 12 por ciento", 0.12, YES),
    ("es", "la tercera parte", 3, YES),
    ("it", "entro trenta giorni", 30, YES),
    ("it", "entro trenta giorni", 60, NO),
    ("it", "3 milioni di euro", 3_000_000, YES),
    ("it", "ventuno articoli", 21, YES),
    ("pt", "doze meses", 12, YES),
    ("pt", "R$ 1.234,56", 1234.56, YES),
    ("pt", "duas vezes", 2, YES),
    ("nl", "veertien dagen", 14, YES),
    ("nl", "€ 3,5 miljoen", 3_500_000, YES),
    ("pl", "trzydzieści dni", 30, YES),
    ("pl", "1 234 567,89 zł", 1_234_567.89, YES),
    ("pl", "5 tys. złotych", 5000, YES),
    ("ru", "двадцать два дня", 22, YES),
    ("ru", "две недели", 2, YES),
    ("ru", "3 млн рублей", 3_000_000, YES),
    ("ru", "2,5 миллиарда рублей", 2_500_000_000, YES),
    ("ru", "пятьдесят рублей", 40, NO),
    ("tr", "otuz gün içinde", 30, YES),
    ("tr", "yirmibeş kişi", 25, YES),
    ("tr", "3 milyon lira", 3_000_000, YES),
    ("ar", "مبلغ ١٬٢٣٤٫٥٦ ريال", 1234.56, YES),
    ("ar", "خلال ٣٠ يوماً", 30, YES),
    ("ar", "خلال ٣٠ يوماً", 60, NO),
    ("ar", "٥ ملايين دولار", 5_000_000, YES),
    ("ar", "٣ مليار دولار", 3_000_000_000, YES),
    ("ar", "واحد وعشرون يوماً", 21, YES),
    ("ar", "خمس سنوات", 5, YES),
    ("ar", "٥ في المئة", 0.05, YES),
    ("ar", "٥٪", 0.05, YES),
    ("fa", "۲۵ میلیون تومان", 25_000_000, YES),
    ("he", "3 מיליון שקלים", 3_000_000, YES),
    ("he", "17% מהסכום", 0.17, YES),
    ("hi", "₹ १२,३४,५६७ मात्र", 1_234_567, YES),
    ("hi", "५ लाख रुपये", 500_000, YES),
    ("hi", "२.५ करोड़ रुपये", 25_000_000, YES),
    ("hi", "पच्चीस वर्ष", 25, YES),
    ("hi", "पच्चीस वर्ष", 26, NO),
    ("hi", "दो हज़ार पाँच सौ रुपये", 2500, YES),
    ("hi", "10 प्रतिशत", 0.1, YES),
    ("zh", "总金额为三百五十万元", 3_500_000, YES),
    ("zh", "总金额为350万元", 3_500_000, YES),
    ("zh", "总金额为350万元", 350, OPEN),
    ("zh", "总金额为1.2亿元", 120_000_000, YES),
    ("zh", "共二十五人", 25, YES),
    ("zh", "共二十五人", 24, NO),
    ("zh", "第三条", 3, YES),
    ("zh", "一般情况下不得转让", 7, OPEN),
    ("zh", "百分之五", 0.05, YES),
    ("zh", "１２３４５件", 12345, YES),
    ("ja", "3億5000万円", 350_000_000, YES),
    ("ja", "五十二万三千円", 523_000, YES),
    ("ja", "百十五名", 115, YES),
    ("ja", "１５％", 0.15, YES),
]

DATES: list[tuple[str, str, str, Agreement]] = [
    ("en", "dated as of January 5, 2020", "2020-01-05", YES),
    ("en", "dated as of January 5, 2020", "2020-01-06", NO),
    ("en", "dated as of January 5, 2020", "2021-01-05", NO),
    ("en", "made this 5th day of January, 2020", "2020-01-05", YES),
    ("en", "made this fifth day of January, 2020", "2020-01-05", YES),
    ("en", "made this fifth day of January, two thousand twenty", "2020-01-05", YES),
    ("en", "on 05/01/2020", "2020-01-05", YES),
    ("en", "on 05/01/2020", "2020-05-01", YES),
    ("en", "on 05/01/2020", "2020-05-02", NO),
    ("en", "on 12/14/97", "1997-12-14", YES),
    ("en", "on 12/14/97", "1997-12-15", NO),
    ("en", "on 2020-01-05", "2020-01-05", YES),
    ("en", "on 20200105", "2020-01-05", YES),
    ("en", "Jan. 5 '97", "1997-01-05", YES),
    ("en", "in January 2020", "2020-01-01", OPEN),
    ("en", "in January 2020", "2020-01-05", OPEN),
    ("en", "in January 2020, signed on 5 May 2019", "2020-01-01", OPEN),
    ("en", "on January 5", "2020-01-05", OPEN),
    ("en", "on the date first written above", "2020-01-05", OPEN),
    ("en", "from 5 May 2019 to 4 May 2021", "2021-05-04", YES),
    ("en", "from 5 May 2019 to 4 May 2021", "2019-05-05", YES),
    ("en", "from 5 May 2019 to 4 May 2021", "2020-05-05", NO),
    ("en", "twenty (20) years, commencing on January 1, 2016", "2036-01-01", OPEN),
    ("en", "for one year from January 1, 2016", "2017-01-01", OPEN),
    ("en", "the year of January 1, 2016", "2017-01-01", NO),
    ("en", "1st day of                          --- November, 2003", "2003-11-01", YES),
    ("de", "drei Jahre ab dem 1. Januar 2016", "2019-01-01", OPEN),
    ("zh", "自2016年1月1日起为期三年间", "2019-01-01", OPEN),
    ("en", "version 1.2.20", "2019-05-05", OPEN),
    ("en", "the parties may terminate after 30 days", "2020-01-05", OPEN),
    ("fr", "le 5 janvier 2020", "2020-01-05", YES),
    ("fr", "le 1er février 2020", "2020-02-01", YES),
    ("fr", "le premier février 2020", "2020-02-01", YES),
    ("fr", "Fait à Paris, le 14 AOÛT 2019", "2019-08-14", YES),
    ("fr", "le 14 août 2019", "2019-08-15", NO),
    ("de", "am 5. Januar 2020", "2020-01-05", YES),
    ("de", "den 5. Jänner 2020", "2020-01-05", OPEN),
    ("de", "am 05.01.2020", "2020-01-05", YES),
    ("de", "am 3. März 2019", "2019-03-03", YES),
    ("es", "a 5 de enero de 2020", "2020-01-05", YES),
    ("es", "a cinco de enero de 2020", "2020-01-05", YES),
    ("es", "a 5 de enero de 2020", "2020-02-05", NO),
    ("it", "il 5 gennaio 2020", "2020-01-05", YES),
    ("pt", "em 5 de março de 2020", "2020-03-05", YES),
    ("nl", "op 5 maart 2020", "2020-03-05", YES),
    ("pl", "dnia 5 stycznia 2020 r.", "2020-01-05", YES),
    ("pl", "5 listopada 2020", "2020-11-05", YES),
    ("ru", "5 января 2020 г.", "2020-01-05", YES),
    ("ru", "«5» января 2020 года", "2020-01-06", NO),
    ("tr", "5 Ocak 2020 tarihinde", "2020-01-05", YES),
    ("tr", "5 Kasım 2020'de", "2020-11-05", YES),
    ("ar", "في ٥ يناير ٢٠٢٠", "2020-01-05", YES),
    ("ar", "في 5 كانون الثاني 2020", "2020-01-05", YES),
    ("ar", "في 5 تشرين الأول 2020", "2020-10-05", YES),
    ("ar", "في ٥ يناير ٢٠٢٠", "2020-01-07", NO),
    ("fa", "۵ ژانویهٔ ۲۰۲۰", "2020-01-05", YES),
    ("fa", "۱۳۹۸/۱۰/۱۵", "2020-01-05", OPEN),
    ("he", "ביום 5 בינואר 2020", "2020-01-05", YES),
    ("hi", "५ जनवरी २०२०", "2020-01-05", YES),
    ("hi", "5 जनवरी 2020 को", "2020-01-06", NO),
    ("hi", "15 अगस्त 1947", "1947-08-15", YES),
    ("zh", "2020年1月5日", "2020-01-05", YES),
    ("zh", "二〇二〇年一月五日", "2020-01-05", YES),
    ("zh", "二〇二〇年十二月三十一日", "2020-12-31", YES),
    ("zh", "２０２０年１月５日", "2020-01-06", NO),
    ("zh", "2020年1月", "2020-01-01", OPEN),
    ("ja", "令和2年1月5日", "2020-01-05", YES),
    ("ja", "令和元年五月一日", "2019-05-01", YES),
    ("ja", "令和2年1月5日", "2020-01-06", NO),
    ("ko", "2020년 1월 5일", "2020-01-05", YES),
    ("th", "5 มกราคม 2563", "2020-01-05", YES),
    ("el", "5 Ιανουαρίου 2020", "2020-01-05", YES),
    ("cs", "5. listopadu 2020", "2020-11-05", YES),
    ("fi", "5. tammikuuta 2020", "2020-01-05", YES),
    ("hu", "2020. január 5.", "2020-01-05", YES),
]

MOMENTS: list[tuple[str, str, Column, Agreement]] = [
    ("on January 5, 2020 at 2:30 p.m.", "2020-01-05T14:30:00Z", TIMESTAMP, YES),
    ("on January 5, 2020 at 2:30 p.m.", "2020-01-05T15:30:00Z", TIMESTAMP, NO),
    ("on January 5, 2020 at 2:30 p.m. EST", "2020-01-05T19:30:00Z", TIMESTAMP, OPEN),
    ("on January 5, 2020", "2020-01-05T00:00:00Z", TIMESTAMP, YES),
    ("on January 6, 2020", "2020-01-05T00:00:00Z", TIMESTAMP, NO),
    ("um 14.30 Uhr am 5. Januar 2020", "2020-01-05T14:30:00+01:00", TIMESTAMP, YES),
    ("um 14 Uhr", "14:00:00Z", TIME, YES),
    ("à 14h30", "14:30:00Z", TIME, YES),
    ("午後2時30分", "14:30:00Z", TIME, YES),
    ("下午2点30分", "14:30:00Z", TIME, YES),
    ("at 12 a.m.", "00:00:00Z", TIME, YES),
    ("at 12:00 pm", "12:00:00Z", TIME, YES),
    ("at 9:15", "09:15:00+02:00", TIME, YES),
    ("at 7:15", "09:15:00+02:00", TIME, OPEN),
    ("at 9:15", "09:16:00Z", TIME, NO),
    ("at 9:15:30", "09:15:31Z", TIME, NO),
    ("after 30 days", "09:15:00Z", TIME, OPEN),
    ("at noon", "12:00:00Z", TIME, OPEN),
]

TEXTS: list[tuple[str, str, Column, Agreement]] = [
    ("between ACME  Corp. and Others", "Acme Corp.", STRING, YES),
    ("between Müller\nGmbH and Others", "MÜLLER GMBH", STRING, YES),
    ("a Non‐Disclosure Agreement", "non_disclosure", ENUM, YES),
    ("the “so‑called” plan", '"so-called" plan', STRING, YES),
    ("you know this", "no", ENUM, OPEN),
    ("No. This is not so", "no", ENUM, YES),
    ("the contracts", "contract", STRING, YES),
    ("subcontract", "contract", STRING, OPEN),
    ("在北京市签订", "北京", STRING, YES),
    ("something else", "Acme", STRING, OPEN),
    ("something", "", STRING, OPEN),
    ("something", " _ ", STRING, OPEN),
]  # fmt: skip


DOUBTS: list[tuple[str, JSON, Column]] = [
    ("Net sales 1,500", 1_500_000, INTEGER),
    ("5,000,000 dollars", 5, INTEGER),
    ("2 MSEK", 2_000_000, INTEGER),
    ("a yield of 5", 0.05, FLOAT),
    ("for a period of three years", 36, INTEGER),
    ("two weeks", 14, INTEGER),
    ("12 Monate", 1, INTEGER),
    ("2 hours 30 minutes", 150, INTEGER),
    ("1 year and 6 months", 1.5, FLOAT),
    ("1 1/2 years", 1.5, FLOAT),
    ("three quarters of 100 shares", 0.75, FLOAT),
    ("in June 2019", 6, INTEGER),
    ("(212) 555-0100", 2125550100, INTEGER),
    ("ISBN 978-3-16-148410-0", 9783161484100, INTEGER),
    ("4€99", 4.99, FLOAT),
    ("none of the 12 directors", 0, INTEGER),
    ("free of charge within 30 days", 0, INTEGER),
    ("both 3-year terms", 2, INTEGER),
    ("two dozen bolts at 3.50", 24, INTEGER),
    ("15 - 17 January 2023", "2023-01-15", DATE),
    ("15. und 16. Januar 2023", "2023-01-15", DATE),
    ("December 31, 2022 and 2021", "2021-12-31", DATE),
    ("annually on January 15, 2022", "2023-01-15", DATE),
    ("the day before January 16, 2023", "2023-01-15", DATE),
    ("2:30 to 4:00 pm", "14:30:00", TIME),
    ("von 9 bis 17 Uhr", "09:00:00", TIME),
    ("between 9 and 5 pm", "09:00:00", TIME),
    ("午後2時半", "14:30:00", TIME),
    ("15 January 2023 10:30 a.m. Eastern", "2023-01-15T15:30:00Z", TIMESTAMP),
]
"""Right values, which the words say in a way that is not read."""
SURE: list[tuple[str, JSON, Column]] = [
    ("for a period of three years", 35, INTEGER),
    ("2 hours 30 minutes", 140, INTEGER),
    ("in June 2019", 7, INTEGER),
    ("(212) 555-0100", 2125550101, INTEGER),
    ("the 12 directors", 0, INTEGER),
    ("15 - 17 January 2023", "2023-01-18", DATE),
    ("from 2:30 to 4:00 pm", "15:30:00", TIME),
    ("at 2:30 pm", "02:30:00", TIME),
]
"""Wrong ones all the same."""


@pytest.mark.parametrize(
    ("words", "value", "column", "expected"), [(*one, OPEN) for one in DOUBTS] + [(*one, NO) for one in SURE]
)
def test_a_doubt_is_no_disagreement(words: str, value: JSON, column: Column, expected: Agreement) -> None:
    assert agree(value, words, column) is expected


@pytest.mark.parametrize(("language", "words", "value", "expected"), NUMBERS)
def test_a_number_agrees_with_words_that_say_it(language: str, words: str, value: float, expected: Agreement) -> None:
    column = INTEGER if isinstance(value, int) else FLOAT
    assert agree(value, words, column) is expected
    assert agree(Decimal(repr(value)), words, DECIMAL) is expected or len(repr(value)) > 15


@pytest.mark.parametrize(("language", "words", "value", "expected"), DATES)
def test_a_date_agrees_with_words_that_say_it(language: str, words: str, value: str, expected: Agreement) -> None:
    assert agree(value, words, DATE) is expected


@pytest.mark.parametrize(("words", "value", "column", "expected"), [*MOMENTS, *TEXTS])
def test_a_moment_or_a_text_agrees_with_words_that_say_it(
    words: str, value: str, column: Column, expected: Agreement
) -> None:
    assert agree(value, words, column) is expected


def test_a_struct_is_held_by_its_values() -> None:
    price = Column("price", Kind.STRUCT, children=(Column("amount", Kind.FLOAT), Column("currency", Kind.STRING)))
    assert agree({"amount": 5.5, "currency": "EUR"}, "5,50 EUR", price) is YES
    assert agree({"amount": 6.5, "currency": "EUR"}, "5,50 EUR", price) is NO
    assert agree({"amount": None, "currency": "USD"}, "5,50 EUR", price) is OPEN
    line = Column("line", Kind.STRUCT, children=(Column("n", Kind.INTEGER), *price.children))
    assert agree({"n": 1, "amount": 5.5, "currency": "EUR"}, "Bolts 5,50 EUR", line) is YES
    assert agree({"n": 1, "amount": 6.5, "currency": "EUR"}, "Bolts 5,50 EUR", line) is NO
    term = Column("term", Kind.STRUCT, children=(DATE, Column("end", Kind.DATE)))
    assert agree({"d": "2020-01-05", "end": "2021-01-04"}, "from January 5, 2020", term) is OPEN
    prices = Column("prices", Kind.LIST, children=(price,))
    assert agree([{"amount": 5.5}, {"amount": 7}], "5,50 and 7", prices) is YES
    assert agree([{"amount": 5.5}, {"amount": 8}], "5,50 and 7", prices) is NO
    assert agree({"a": 7}, "5,50 and 7", Column("m", Kind.MAP, children=(INTEGER,))) is YES
    assert agree([], "5,50", prices) is OPEN


@pytest.mark.parametrize(
    ("value", "column"),
    [
        (None, INTEGER),
        (True, INTEGER),
        (True, Column("b", Kind.BOOLEAN)),
        ("5", INTEGER),
        (5, STRING),
        (5, DATE),
        ({"a": 1}, Column("j", Kind.JSON)),
        ([5], INTEGER),
        (5, Column("l", Kind.LIST, children=(INTEGER,))),
        (float("inf"), FLOAT),
        (float("nan"), FLOAT),
        (Decimal("NaN"), DECIMAL),
        ("soon", DATE),
        ("2020-01-05", TIMESTAMP),
    ],
)
def test_what_a_column_does_not_hold_is_unchecked(value: JSON, column: Column) -> None:
    assert agree(value, "5 true January 5, 2020 at 10:30", column) is OPEN


@pytest.mark.parametrize("value", [Decimal("1E+400"), 10**400, -(10**4000), Decimal("1E-999999"), 1e308, 5e-324])
def test_a_number_of_any_size_is_held(value: JSON) -> None:
    assert agree(value, "12 and 1e400 and twelve", FLOAT) in (NO, YES)
    assert agree(value, "no number", FLOAT) is OPEN


def test_a_day_that_does_not_exist_disagrees_with_one_that_does() -> None:
    assert agree("2020-02-30", "on February 29, 2020", DATE) is NO


WORDS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="0123456789 .,-/'年月日万亿十二三百分之%()'jan mar", max_size=200),
    st.lists(
        st.sampled_from(
            "January 5 , 2020 twelve hundred million % 万 三十 مليون ٥ पाँच २ सौ р two ( ) - − e5 १२ p.m. : 30".split()
        )
    ).map(" ".join),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.decimals(), st.text(max_size=20),
    st.datetimes().map(lambda when: when.isoformat() + "Z"), st.dates().map(str),
    st.sampled_from(["2020-02-30", "99:99:99Z"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
PLAIN = [Column("c", kind) for kind in Kind if kind not in (Kind.LIST, Kind.MAP, Kind.STRUCT)]
COLUMNS = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: (
        inner.map(lambda one: Column("l", Kind.LIST, children=(one,)))
        | inner.map(lambda one: Column("m", Kind.MAP, children=(one,)))
    ),
    max_leaves=4,
)


@given(VALUES, WORDS, COLUMNS)
def test_no_value_and_no_words_are_too_strange(value: JSON, words: str, column: Column) -> None:
    assert agree(value, words, column) in Agreement


@given(st.integers(-(10**12), 10**12))
def test_a_number_agrees_with_itself_however_it_is_grouped(value: int) -> None:
    for text in (f"{value}", f"{value:,}", f"{value:,}".replace(",", "."), f"{value:,}".replace(",", "\u202f")):
        assert agree(value, f"It is {text} today", INTEGER) is YES
        assert agree(value, f"今天{text}元", INTEGER) is YES


@given(st.decimals(-(10**9), 10**9, places=2))
def test_a_price_agrees_with_itself_in_the_points_of_any_country(value: Decimal) -> None:
    english = f"{value:,.2f}"
    for text in (english, english.translate(str.maketrans(",.", ".,")), english.translate(str.maketrans(",.", "'."))):
        assert agree(value, f"costs {text} today", DECIMAL) is YES


@given(st.dates(), st.sampled_from(["%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d %b %Y"]))
def test_a_day_agrees_with_itself_in_any_order(day: object, form: str) -> None:
    text = f"{day:{form}}" if "%Y" not in form else format(day, form.replace("%Y", str(day)[:4]))
    assert agree(str(day), f"on {text} and later", DATE) is YES


@pytest.mark.parametrize(
    "words",
    ["1," * 300, "1 234" * 120, "9" * 600, "(" * 600, "3億" * 300, "1.1.1." * 100, "五" * 600, "十" * 600,
     "1年1月" * 120, "may 5 " * 100,
     "two " * 150, "-" * 600, "5 - " * 150, "१ लाख " * 80, "1:1:" * 150, "１，" * 300, "zwanzig" * 80],
)  # fmt: skip
def test_hostile_words_take_no_longer_than_others(words: str) -> None:
    for value, column in ((12345, INTEGER), ("2020-01-05", DATE), ("2020-01-05T10:00:00Z", TIMESTAMP), ("x y", STRING)):
        agree(value, words, column)
        began = time.process_time()
        agree(value, words, column)
        assert time.process_time() - began < 0.05
