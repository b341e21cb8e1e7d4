"""What mail programs turn into links, and a judge of it."""

# ruff: noqa: RUF001 - letters that look alike are the point

import re

LINKS = [
    "http://evil.example",
    "https://evil.example/x?y=1#z",
    "HTTP://EVIL.EXAMPLE",
    "http://localhost/x",
    "http://1.2.3.4/x",
    "http:\\\\evil.example",
    "http:/evil.example",
    "http:evil.example",
    "http\u200b://evil\u2060.\u200bexample",
    "//evil.example/x",
    r"\\evil.example\share",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,hi",
    "mailto:win@evil.example",
    "tel:+15551234567",
    "sms:5551234",
    "skype:evil?call",
    "ftp.evil.example",
    "www.evil.example",
    "WWW.evil.example/x",
    "www2.evil.example",
    "evil.example",
    "evil.example/x",
    "evil.co.uk",
    "evil.com:8080",
    "go-to.evil-site.com",
    "4.evil.com",
    "1.2.3.4",
    "1.2.3.4:8080/x",
    "xn--e1afmkfd.xn--80akhbyknj4f",
    "пример.испытание",
    "例え.テスト",
    "bücher.example",
    "evil。example",
    "evil．example",
    "evil｡example",
    "evil․example",
    "evil﹒example",
    "ｗｗｗ．ｅｖｉｌ．ｃｏｍ",
    "http：／／evil．example",
    "win@evil.example",
    "win@localhost",
    "win＠evil．example",
    "ｍａｉｌｔｏ：win@evil.example",
    "\u202eelpmaxe.live\u202c",
    "(evil.example)",
    "<http://evil.example>",
    '"evil.example"',
    "[here](http://evil.example)",
    "<a href=http://evil.example>here</a>",
    "see evil.example.",
    "evil.example, now",
    "a.b@c.d@e.f",
    "..evil.example",
    "evil.example.",
]
PLAIN = [
    "Intro call",
    "Half an hour with Ada",
    "10:30, 3.5 hours, 31.12.2030, 7:1",
    "Ms. O'Hara-Smith, Jr.",
    "One. Two; three: four! (five) – six… seven?",
    "and/or, 24/7, 50 %, #4 + 2",
    "He said (“hi.”) :)",
    "Ω 😀 👨‍👩‍👧 日本語。",
    "Zoë Müller-Lüdenscheidt",
    "@home: dinner",
]

_SAME = str.maketrans(
    dict.fromkeys("。．｡․﹒", ".") | dict.fromkeys("：﹕", ":") | dict.fromkeys("＠﹫", "@") | {"／": "/", "＼": "\\"}
)
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_LIKE_LINKS = {
    "scheme": re.compile(r"(?i)\b[a-z][a-z0-9+-]*(?:(?<!\d):|:(?!\d))(?=[^\s)\]}>\"'.,;!?])"),
    "slashes": re.compile(r"[/\\]{2}"),
    "www": re.compile(r"(?i)\bwww\d*\.\S"),
    "host": re.compile(r"[^\W_]\.(?=[^\W\d_])"),
    "numbers": re.compile(r"\b\d+\.\d+\.\d+\.\d+"),
    "mailbox": re.compile(r"\S@\S"),
    "turned": re.compile("[\u202a-\u202e\u2066-\u2069]"),
}


def like_links(text: str) -> list[str]:
    """Return as what a mail program could take parts of a text for a link, also one that looks through tricks."""
    turned = _LIKE_LINKS["turned"].search(text)
    seen = _UNSEEN.sub("", text).translate(_SAME)
    return [name for name, pattern in _LIKE_LINKS.items() if pattern.search(seen)] + (["turned"] if turned else [])
