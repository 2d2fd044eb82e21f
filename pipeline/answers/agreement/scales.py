"""Words that multiply the number before them: million, Mrd., lakh, 万, مليون, per cent. All in lower case and NFC."""

# ruff: noqa: SIM905 - a list of words is read as a line

from __future__ import annotations

import unicodedata

_BY_EXPONENT = {
    (2,): "सौ مائة مئة",
    (3,): (
        "thousand thousands thsd k tsd tausend mille milliers millier mila duizend тыс тысяча тысячи тысяч tys tysiąc "
        "tysiące tysięcy हज़ार हजार ألف آلاف الف هزار אלף אלפים 千 mil bin"
    ),
    (6,): (
        "million millions mn mln mio mill mm millionen millones millón millon milioni milione milhões milhão milhao "
        "miljoen miljoenen миллион миллиона миллионов млн milion miliony milionów milyon मिलियन مليون ملايين مليونا "
        "میلیون מיליון m"
    ),
    (9,): (
        "bn bln mrd mrds md mds mia milliard milliards milliarde milliarden miliardo miliardi miliard miliardy "
        "miliardów miljard miljarden bilhão bilhões bilhao миллиард миллиарда миллиардов млрд milyar अरब مليار "
        "مليارات بليون میلیارد מיליארד b"
    ),
    (9, 12): "billion billions",
    (12,): "tn trn billionen billón billones трлн триллион триллиона триллионов bilion biliony bilionów трилион",
    (12, 18): "trillion trillions",
    (5,): "lakh lakhs lac lacs लाख",
    (7,): "crore crores cr करोड़",
    (4,): "万 萬 만",
    (8,): "亿 億 억",
    (-3,): "‰",
    (-4,): "bp bps basispunkte basispunkt",
}
SCALES: dict[str, tuple[int, ...]] = {
    unicodedata.normalize("NFC", word): exponents for exponents, text in _BY_EXPONENT.items() for word in text.split()
}
"""The powers of ten that a word stands for."""
UNSURE = frozenset({"m", "M", "b", "B", "k", "K", "mm", "MM", "mil", "bin", "md", "cr", "mill", "bp", "bps"})
"""Those that may also be a unit or a word of another kind: the number counts as it stands, too."""
PERCENTS = frozenset(
    "% ٪ percent pct prozent procent процент процента процентов проц yüzde प्रतिशत फीसदी بالمئة بالمائة درصد אחוז "
    "אחוזים percento パーセント".split()
)
"""Units that say that a hundredth is meant."""
PERCENT_STARTS = frozenset("per pour por pro v em في".split())
"""The first of two words that say so."""
HUNDREDS = ("cent", "cien", "hundr", "المئة", "المائة")
"""How the second begins."""
