"""Resend and SendGrid over real HTTP: what is sent, and what each answer means."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.providers.http import identifier, parse_retry_after
from jobs.providers.provider import Failure
from jobs.providers.resend import Resend
from jobs.providers.sendgrid import SendGrid
from tests.jobs.providers.messages import CALENDAR, INVITATION, MESSAGE, refusal_of, write_message
from tests.jobs.servers import read_request, tcp_server

KEY = "re_secret_key"
PATHS = {Resend: "/emails", SendGrid: "/v3/mail/send"}
NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(params=PATHS)
def kind_of_provider(request):
    return request.param


@pytest.fixture
def provider(kind_of_provider, httpserver):
    return kind_of_provider(KEY, httpserver.url_for(""))


def answer(httpserver, provider, *arguments, **keywords):
    httpserver.expect_request(PATHS[type(provider)], "POST").respond_with_data(*arguments, **keywords)


def test_resend_receives_the_mail_and_its_id_comes_back(httpserver):
    httpserver.expect_request("/emails", "POST").respond_with_json({"id": "re_1"})
    assert Resend(KEY, httpserver.url_for("/")).send(MESSAGE) == "re_1"
    request = httpserver.log[0][0]
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Idempotency-Key"] == MESSAGE.idempotency_key
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"] == "scheduling"
    assert request.json == {
        "from": MESSAGE.sender,
        "to": [MESSAGE.to],
        "subject": MESSAGE.subject,
        "text": MESSAGE.text,
        "html": MESSAGE.html,
    }


def test_sendgrid_receives_the_mail_and_its_id_comes_back(httpserver):
    httpserver.expect_request("/v3/mail/send", "POST").respond_with_data("", 202, headers={"X-Message-Id": "sg.1"})
    assert SendGrid(KEY, httpserver.url_for("")).send(MESSAGE) == "sg.1"
    request = httpserver.log[0][0]
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Idempotency-Key"] == MESSAGE.idempotency_key
    assert request.json == {
        "personalizations": [{"to": [{"email": MESSAGE.to}]}],
        "from": {"email": "noreply@example.com", "name": "Scheduling"},
        "subject": MESSAGE.subject,
        "content": [
            {"type": "text/plain", "value": MESSAGE.text},
            {"type": "text/html", "value": MESSAGE.html},
        ],
        "custom_args": {"idempotency_key": MESSAGE.idempotency_key},
    }


def test_sendgrid_takes_a_sender_without_a_name(httpserver):
    httpserver.expect_request("/v3/mail/send").respond_with_data("", 202)
    SendGrid(KEY, httpserver.url_for("")).send(write_message(sender="noreply@example.com"))
    assert httpserver.log[0][0].json["from"] == {"email": "noreply@example.com"}


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_a_calendar_stands_beside_the_text_where_it_can_and_is_attached(provider, httpserver, method):
    answer(httpserver, provider, "{}")
    provider.send(MESSAGE)
    provider.send(write_message(calendar=CALENDAR, calendar_method=method))
    plain, invitation = (request.json for request, _ in httpserver.log)
    (attachment,) = invitation.pop("attachments")
    if isinstance(provider, SendGrid):
        *_, part = invitation["content"]
        assert part == {"type": f"text/calendar; method={method}", "value": CALENDAR}
        invitation["content"].remove(part)
    assert invitation == plain
    assert b64decode(attachment.pop("content"), validate=True) == CALENDAR.encode()
    assert attachment == (
        {"filename": "invite.ics", "content_type": f"text/calendar; charset=utf-8; method={method}"}
        if isinstance(provider, Resend)
        else {"filename": "invite.ics", "type": "application/ics", "disposition": "attachment"}
    )


@pytest.mark.parametrize("addresses", [("bob@example.com",), ("bob@example.com", "carol@example.com")], ids=len)
def test_answers_go_to_whom_the_mail_says(provider, httpserver, addresses):
    answer(httpserver, provider, "{}")
    provider.send(MESSAGE)
    provider.send(write_message(reply_to=addresses))
    plain, answered = (request.json for request, _ in httpserver.log)
    if isinstance(provider, Resend):
        expected = {"reply_to": list(addresses)}
    elif len(addresses) == 1:
        expected = {"reply_to": {"email": addresses[0]}}
    else:
        # SendGrid takes one or the other.
        expected = {"reply_to_list": [{"email": address} for address in addresses]}
    assert answered == plain | expected


@pytest.mark.parametrize("message", [MESSAGE, INVITATION], ids=["plain", "invitation"])
def test_every_attempt_sends_the_same_bytes(kind_of_provider, httpserver, message):
    httpserver.expect_request(PATHS[kind_of_provider]).respond_with_data("{}")
    for _ in range(2):
        kind_of_provider(KEY, httpserver.url_for("")).send(message)
    first, second = (request for request, _ in httpserver.log)
    assert first.data == second.data
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (302, Failure.CONFIGURATION),
        (400, Failure.PERMANENT),
        (401, Failure.CONFIGURATION),
        (402, Failure.CONFIGURATION),
        (403, Failure.CONFIGURATION),
        (404, Failure.PERMANENT),
        (405, Failure.PERMANENT),
        (408, Failure.AMBIGUOUS),
        (409, Failure.REJECTED),
        (410, Failure.PERMANENT),
        (413, Failure.PERMANENT),
        (418, Failure.REJECTED),
        (422, Failure.PERMANENT),
        (425, Failure.TRANSIENT),
        (429, Failure.THROTTLED),
        (451, Failure.REJECTED),
        (500, Failure.TRANSIENT),
        (502, Failure.AMBIGUOUS),
        (503, Failure.TRANSIENT),
        (504, Failure.AMBIGUOUS),
        (529, Failure.TRANSIENT),
        (799, Failure.AMBIGUOUS),
    ],
)
def test_each_status_has_its_class(provider, httpserver, status, failure):
    answer(httpserver, provider, "no", status)
    error = refusal_of(provider)
    assert error.failure is failure
    assert error.permanent == (failure is Failure.PERMANENT)
    assert error.retry_after is None
    assert str(error) == f"The provider answered {status}."


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("invalid_idempotent_request", Failure.PERMANENT),
        ("concurrent_idempotent_requests", Failure.TRANSIENT),
        ("something_else", Failure.REJECTED),
    ],
)
def test_a_conflict_means_what_its_name_says(httpserver, name, failure):
    httpserver.expect_request("/emails").respond_with_json({"name": name}, 409)
    error = refusal_of(Resend(KEY, httpserver.url_for("")))
    assert error.failure is failure
    assert error.reason == f"The provider answered 409 ({name})."


@pytest.mark.parametrize("status", [429, 503])
def test_a_named_time_is_patience_asked_for(provider, httpserver, status):
    answer(httpserver, provider, "", status, headers={"Retry-After": "120"})
    error = refusal_of(provider)
    assert (error.failure, error.retry_after) == (Failure.THROTTLED, 120)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        ("86400", 3600),
        ("9" * 5000, 3600),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 3600),
        ("Tue, 01 Dec 2026 09:00:30 -0000", 30),
        ("Tuesday, 01-Dec-26 09:00:30 GMT", 30),
        ("Tue Dec  1 09:00:30 2026", 30),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        ("Mon, 01 Dec 99999999999999999999 09:00:00 GMT", None),
        ("Mon, 01 Dec 2026 09:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert parse_retry_after(value, NOW) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]+ [A-Z][a-z]{2} [0-9]+ [0-9:]+ [+-]?[0-9A-Z]+"))
def test_no_retry_after_breaks_the_worker(value):
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize(("value", "id_"), [("re_1", "re_1"), (None, ""), (7, ""), ("a\x00b", ""), ("a" * 256, "")])
def test_an_id_is_a_short_visible_word(value, id_):
    assert identifier(value) == id_


@pytest.mark.parametrize("body", ["", "garbage", "[]", '{"id": 7}', "[" * 60_000, b"\xff\xfe", '{"id": "\\u0000"}'])
def test_success_is_success_whatever_the_body(provider, httpserver, body):
    answer(httpserver, provider, body, 200)
    assert provider.send(MESSAGE) == ""


@pytest.mark.parametrize("location", ["/elsewhere", "ftp://x", ""])
def test_redirects_are_not_followed(provider, httpserver, location):
    answer(httpserver, provider, "", 307, headers={"Location": location})
    httpserver.expect_request("/elsewhere").respond_with_data("{}")
    assert refusal_of(provider).failure is Failure.CONFIGURATION
    assert len(httpserver.log) == 1


def test_the_environment_cannot_divert_a_mail(httpserver, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login mallory password wrong\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    httpserver.expect_request("/emails", headers={"Authorization": f"Bearer {KEY}"}).respond_with_data("{}")
    assert Resend(KEY, httpserver.url_for("")).send(MESSAGE) == ""


@pytest.mark.parametrize("status", [200, 500])
def test_connections_are_kept(status):
    connections = []

    def talk(connection):
        connections.append(connection)
        while read_request(connection):
            head = f"HTTP/1.1 {status} So\r\nContent-Length: 2\r\n\r\n"
            connection.sendall(head.encode() + b"{}")

    with tcp_server(talk) as port:
        provider = Resend(KEY, f"http://127.0.0.1:{port}")
        for _ in range(3):
            if status == 200:
                provider.send(MESSAGE)
            else:
                refusal_of(provider)
    assert len(connections) == 1


def test_a_reason_tells_no_secret(provider, httpserver):
    answer(httpserver, provider, f'{{"name": "{KEY} for {MESSAGE.to}"}}', 422)
    reason = refusal_of(provider).reason
    assert KEY not in reason
    assert MESSAGE.to not in reason


@pytest.mark.parametrize(
    ("key", "base_url"), [("a\r\nX-Evil: 1", ""), (KEY, "http://[bad"), (KEY, "http://"), (KEY, "nonsense")]
)
def test_a_malformed_setting_is_told_as_such(key, base_url):
    assert refusal_of(Resend(key, base_url)).failure is Failure.CONFIGURATION


def test_a_key_beyond_ascii_is_refused_by_the_provider(httpserver):
    httpserver.expect_request("/emails").respond_with_data("", 401)
    assert refusal_of(Resend("ключ", httpserver.url_for(""))).failure is Failure.CONFIGURATION
