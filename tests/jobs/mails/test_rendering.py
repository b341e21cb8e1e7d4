"""What people read, and what strangers cannot write into it."""

import os
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from jobs.mails.lines import one_line
from jobs.mails.rendering import KINDS, TEMPLATES, RenderingError, render
from jobs.mails.times import period
from tests.jobs.mails.appointments import BOOKING
from tests.jobs.mails.appointments import KINDS as APPOINTMENTS

DATA = BOOKING | {
    "name": "Zoë",
    "title": "Stand-up",
    "start_time": "2026-12-01T09:00:00Z",
    "end_time": "2026-12-01T09:30:00+00:00",
    "booking_id": 7,
    "organization_name": "Acme",
    "organization_id": 3,
    "role": "member",
    "new_email": "zoe@example.com",
    "time_zone": "UTC",
}
TITLED = ("WELCOME", "BOOKING_CONFIRMATION", "BOOKING_CANCELLED", "ORG_INVITE", *APPOINTMENTS)
BREAKS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029", "\x00"]


def test_the_kinds_are_the_folders():
    folders = {folder.name.upper() for folder in TEMPLATES.iterdir() if folder.is_dir()}
    assert folders - {"LAYOUT"} == KINDS
    assert KINDS.issuperset(TITLED)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_three_parts(kind):
    assert {path.name for path in (TEMPLATES / kind.lower()).iterdir()} == {
        "subject.txt",
        "text.txt",
        "html.html",
    }


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("WELCOME", "Welcome, Zoë"),
        ("BOOKING_CONFIRMATION", "Booking confirmed: Stand-up"),
        ("BOOKING_CANCELLED", "Booking cancelled: Stand-up"),
        ("ORG_INVITE", "You have been added to Acme"),
    ],
)
def test_subjects_are_those_of_the_contract(kind, subject):
    assert render(kind, DATA).subject == subject


@pytest.mark.parametrize("kind", ["BOOKING_CONFIRMATION", "BOOKING_CANCELLED"])
def test_a_booking_is_told_with_its_title_and_time(kind):
    mail = render(kind, DATA)
    for part in (mail.text, mail.html):
        assert "Stand-up" in part
        assert "Tuesday, 1 December 2026, 09:00–09:30 UTC" in part  # noqa: RUF001


@pytest.mark.parametrize(
    ("start", "end", "phrase"),
    [
        (
            "2026-12-01T09:00:00Z",
            "2026-12-01T09:30:00Z",
            "Tuesday, 1 December 2026, 09:00–09:30 UTC",  # noqa: RUF001
        ),
        (
            "2026-12-01T01:00:00+02:00",
            "2026-12-01T02:30:00+02:00",
            "Monday, 30 November 2026, 23:00 – Tuesday, 1 December 2026, 00:30 UTC",  # noqa: RUF001
        ),
    ],
)
def test_times_are_told_in_utc(start, end, phrase):
    assert period(start, end) == phrase


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(
    "title",
    [
        "{{ 7 * 7 }}",
        "{% raw %}",
        "<script>alert(1)</script>",
        '"><img src=x>',
        "</td></style><style>",
        "&lt;b&gt;",
    ],
)
def test_a_title_stays_a_title(kind, title):
    harmless = render(kind, {**DATA, "name": "N", "title": "N", "organization_name": "N"})
    mail = render(kind, {**DATA, "name": title, "title": title, "organization_name": title})
    assert title in mail.subject or kind not in TITLED
    assert title in mail.text
    assert mail.html.count("<") == harmless.html.count("<")
    assert "49" not in mail.subject


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("line_break", BREAKS)
def test_a_title_cannot_break_a_line(kind, line_break):
    title = f"Lunch{line_break}Bcc: carol@example.com"
    mail = render(kind, {**DATA, "name": title, "title": title, "organization_name": title})
    assert mail.subject.splitlines() == [mail.subject]
    assert "Lunch Bcc: carol@ example. com" in mail.subject or kind not in TITLED
    assert not any(line.startswith("Bcc:") for line in mail.text.splitlines())


@pytest.mark.parametrize("line_break", BREAKS)
def test_one_line_is_one_line(line_break):
    assert one_line(f"a{line_break}{line_break}b{line_break}") == "a b"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_text_is_wrapped_and_no_word_is_cut(kind):
    name = "Society for the Promotion of " + "Long " * 20 + "w" * 90
    lines = render(kind, {**DATA, "title": name, "organization_name": name, "name": name}).text.splitlines()
    assert all(len(line) <= 72 or " " not in line for line in lines)
    assert any("w" * 90 in line for line in lines)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_styles_are_inlined_and_the_dark_colours_stay(kind):
    html = render(kind, DATA).html
    assert '<body style="margin: 0' in html
    assert "prefers-color-scheme: dark" in html
    assert ".card-cell { padding" not in html


class Page(HTMLParser):
    """Note which tags are open, and what could lead or load anything from elsewhere."""

    def __init__(self, page):
        super().__init__()
        self.open, self.leading, self.titles = [], [], 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        """Open a tag."""
        self.leading += [name for name, _ in attributes if name in ("href", "src", "action", "background", "srcset")]
        self.titles += tag == "title"
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close the tag that was opened last."""
        assert self.open.pop() == tag


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("text", ["N", "http://evil.example", '"><a href=http://evil.example>here</a>'])
def test_a_page_is_whole_and_leads_nowhere(kind, text):
    for role in ("guest", "host"):
        names = dict.fromkeys(("name", "title", "organization_name", "new_email", "reason"), text)
        page = Page(render(kind, DATA | names | {"role": role, "manage_token": None}).html)
        assert (page.open, page.leading, page.titles) == ([], [], 1)


@pytest.mark.parametrize("missing", ["name", "title", "start_time"])
def test_missing_data_is_an_error_and_no_empty_place(missing):
    data = {name: value for name, value in DATA.items() if name != missing}
    with pytest.raises(RenderingError):
        render("BOOKING_CONFIRMATION", data)


@pytest.mark.parametrize("time", ["2026-12-01T09:00:00", "tomorrow", None, 12])
def test_a_time_that_is_none_is_an_error(time):
    with pytest.raises(RenderingError):
        render("BOOKING_CONFIRMATION", {**DATA, "start_time": time})


@pytest.mark.parametrize("kind", ["", "welcome", "NOPE", "../layout", "LAYOUT"])
def test_an_unknown_kind_is_an_error(kind):
    with pytest.raises(RenderingError):
        render(kind, DATA)


def test_another_process_renders_the_same_bytes():
    script = (
        "import sys; from jobs.mails.rendering import KINDS, render; "
        f"sys.stdout.buffer.write(''.join(str(render(kind, {DATA!r})) for kind in sorted(KINDS)).encode())"
    )
    renderings = {
        subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(renderings) == 1
