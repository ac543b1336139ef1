"""Malicious titles and ids."""

from hypothesis import strategies as st

HOSTILE = [
    "",
    " ",
    "..",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "C:\\secret.txt",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><h1>",
    "]]>--><!--",
    "=1+1",
    "+1",
    "-rf",
    "@sum(1)",
    "\t=1",
    "\r\n=1",
    "line\nbreak\u2028and\u2029more",
    "a\0b",
    "invoice\u202egpj.exe",
    "👩‍👩‍👧 שלום é",
    "lone \udcff surrogate \ud83d",
    "javascript:alert(1)",
    "x" * 5000,
    "😀" * 5000,
    "CON",
    "{title} %s {{}} $x",
]
ANY_TEXT = st.text(st.characters(), max_size=60)
"""Surrogates and control characters included."""
