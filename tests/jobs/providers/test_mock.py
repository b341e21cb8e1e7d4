"""The provider of development, and the bytes of a mail."""

import time

import pytest
from structlog.testing import capture_logs

from jobs.providers import mime
from jobs.providers.factory import make_provider
from jobs.providers.mock import Mock
from jobs.providers.provider import DeliveryError, Failure
from jobs.providers.resend import Resend
from jobs.providers.sendgrid import SendGrid
from jobs.providers.smtp import Smtp
from jobs.settings import EmailSettings
from tests.jobs.providers.messages import CALENDAR, INVITATION, MESSAGE, calendars_of, read_mail, text_of, write_message


def test_mock_accepts_after_its_delay():
    started = time.monotonic()
    assert Mock(delay=0.2).send(MESSAGE) == "mock-7"
    assert time.monotonic() - started >= 0.2


def test_mock_keeps_the_mail_where_a_person_can_read_it(tmp_path):
    folder = tmp_path / "mailbox"
    Mock(delay=0, folder=str(folder)).send(MESSAGE)
    assert [path.name for path in folder.iterdir()] == ["7-WELCOME.eml"]
    mail = read_mail((folder / "7-WELCOME.eml").read_bytes())
    assert mail["To"] == MESSAGE.to
    assert mail["From"] == MESSAGE.sender
    assert mail["Subject"] == MESSAGE.subject
    assert mail["Date"].datetime == MESSAGE.created_at
    assert text_of(mail) == MESSAGE.text
    assert mail.get_body(("html",)).get_content().strip() == MESSAGE.html


def test_mock_keeps_the_calendar_with_the_mail(tmp_path):
    Mock(delay=0, folder=str(tmp_path)).send(INVITATION)
    (path,) = tmp_path.iterdir()
    assert calendars_of(read_mail(path.read_bytes()))[1] == [CALENDAR.encode()] * 2


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_a_calendar_stands_in_place_of_the_text_and_is_attached(method):
    content = mime.encode(write_message(calendar=CALENDAR, calendar_method=method))
    assert content.isascii()
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    mail = read_mail(content)
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    types, contents = calendars_of(mail)
    assert types == [("text/calendar", {"charset": "utf-8", "method": method}), ("application/ics", {})]
    assert contents == [CALENDAR.encode()] * 2
    assert [part.get_filename() for part in mail.iter_attachments()] == ["invite.ics"]
    plain = read_mail(mime.encode(MESSAGE))
    assert [(name, mail[name]) for name in mail if name != "Content-Type"] == [
        (name, plain[name]) for name in plain if name != "Content-Type"
    ]


def test_another_calendar_is_another_mail_and_the_same_one_the_same():
    assert mime.encode(INVITATION) == mime.encode(write_message(calendar=CALENDAR, calendar_method="REQUEST"))
    boundaries = [
        [part.get_boundary() for part in read_mail(mime.encode(mail)).walk() if part.is_multipart()]
        for mail in (INVITATION, write_message(calendar=CALENDAR + "\r\n", calendar_method="REQUEST"))
    ]
    assert len({*boundaries[0], *boundaries[1]}) == 3


def test_mock_logs_what_it_did_and_not_to_whom():
    with capture_logs() as logs:
        Mock(delay=0).send(MESSAGE)
    assert logs == [{"event": "email_mocked", "log_level": "info", "email_id": 7, "kind": "WELCOME"}]


def test_mock_without_a_usable_folder_calls_for_a_person(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DeliveryError) as caught:
        Mock(delay=0, folder=str(tmp_path / "file")).send(MESSAGE)
    assert caught.value.failure is Failure.CONFIGURATION


def test_a_mail_has_the_same_bytes_on_every_attempt():
    assert mime.encode(MESSAGE) == mime.encode(write_message())
    assert mime.encode(MESSAGE) != mime.encode(write_message(idempotency_key="another"))


def test_a_mail_is_plain_ascii_in_short_lines():
    content = mime.encode(write_message(subject="Zoë " * 60, text="ü" * 3000, html="<p>" + "雪" * 3000))
    assert content.isascii()
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    mail = read_mail(content)
    assert mail["Subject"] == ("Zoë " * 60).strip()
    assert text_of(mail).strip() == "ü" * 3000
    assert mime.encode(write_message(text="ü\n", html="<p>ü</p>")).isascii()


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00"])
@pytest.mark.parametrize("field", ["subject", "to", "sender"])
def test_a_line_break_is_no_poison_and_adds_no_header(field, line_break):
    value = f"alice@example.com{line_break}Bcc: carol@example.com"
    mail = read_mail(mime.encode(write_message(**{field: value})))
    assert mail["Bcc"] is None
    assert mail.get_content_type() == "multipart/alternative"


def test_names_and_addresses_beyond_ascii_survive():
    mail = read_mail(mime.encode(write_message(sender="Büro <noreply@example.com>")))
    assert mail["From"].addresses[0].display_name == "Büro"
    content = mime.encode(write_message(to="zoë@exämple.com"))  # RFC 6532: such an address stands as it is
    assert "\r\nTo: zoë@exämple.com\r\n".encode() in content


def test_a_boundary_in_the_text_splits_nothing():
    boundary = read_mail(mime.encode(MESSAGE)).get_boundary()
    text = f"Hello\n--{boundary}\nContent-Type: text/html\n\n<b>mallory</b>\n--{boundary}--\n"
    mail = read_mail(mime.encode(write_message(text=text)))
    assert len(list(mail.iter_parts())) == 2
    assert text_of(mail) == text


@pytest.mark.parametrize(("name", "kind"), [("mock", Mock), ("smtp", Smtp), ("sendgrid", SendGrid), ("resend", Resend)])
def test_the_settings_choose_the_provider(name, kind):
    settings = EmailSettings(provider=name, sender="a@example.com", rate_limit=30, retry_attempts=3)
    assert isinstance(make_provider(settings), kind)


@pytest.mark.parametrize(
    ("name", "base_url", "url"),
    [
        ("resend", "", "https://api.resend.com/emails"),
        ("resend", "http://localhost:9/fake/", "http://localhost:9/fake/emails"),
        ("sendgrid", "", "https://api.sendgrid.com/v3/mail/send"),
        ("sendgrid", "http://localhost:9", "http://localhost:9/v3/mail/send"),
    ],
)
def test_the_path_is_appended_to_the_base_url(name, base_url, url):
    settings = EmailSettings(
        provider=name, sender="a@example.com", rate_limit=30, retry_attempts=3, api_base_url=base_url
    )
    assert make_provider(settings).api.url == url
