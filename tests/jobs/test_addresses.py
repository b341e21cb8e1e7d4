"""Addresses beyond ASCII reach everybody who can be reached, and answers reach people."""

from email.utils import parseaddr

import pytest
from aiosmtpd.controller import Controller

from jobs.addresses import mailbox_to_ascii, to_ascii
from jobs.mails.reply_to import find_reply_to
from jobs.providers.resend import Resend
from jobs.providers.sendgrid import SendGrid
from jobs.providers.smtp import Smtp
from tests.jobs.mails.appointments import BOOKING, read_event, told_to
from tests.jobs.providers.messages import calendars_of, read_mail
from tests.mailbox import KEY

SENDER = "Bücherei <mail@bücher.example>"
GUEST, HOSTS = "zoe@пример.испытание", ["host@faß.example", "carol@example.com"]
A_LABELS = {
    "zoe@пример.испытание": "zoe@xn--e1afmkfd.xn--80akhbyknj4f",
    "host@faß.example": "host@xn--fa-hia.example",
    "mail@bücher.example": "mail@xn--bcher-kva.example",
}


def told(role, guest=GUEST, hosts=HOSTS, **changes):
    """Return the data of a mail about a meeting of people with such addresses."""
    people = [{"name": "Host", "email": email} for email in hosts]
    return told_to(role, guest=BOOKING["guest"] | {"email": guest}, hosts=people, **changes)


def promise(rows, recipient, data, kind="APPOINTMENT_CONFIRMED"):
    email_id = rows.promise(kind, data=data)
    rows.execute("UPDATE emails SET recipient = %s WHERE id = %s", (recipient, email_id))
    return email_id


class Server(Controller):
    """Keep what arrives, on whatever port is free."""

    def __init__(self, **options):
        super().__init__(self, hostname="127.0.0.1", port=0, **options)
        self.envelopes = []

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        """Keep a mail."""
        self.envelopes.append(envelope)
        return "250 OK"


@pytest.fixture(params=[False, True], ids=["without SMTPUTF8", "with SMTPUTF8"])
def server(request):
    server = Server(enable_SMTPUTF8=request.param)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def deliver_by(make_delivery):
    """Deliver what is due by a provider."""

    def deliver(provider):
        make_delivery(provider=provider, sender=SENDER).drain()

    return deliver


@pytest.mark.parametrize(
    ("address", "expected"), [*A_LABELS.items(), ("zoë@bücher.example", "zoë@xn--bcher-kva.example")]
)
def test_the_domain_of_an_address_becomes_ascii_and_its_local_part_stays(address, expected):
    assert to_ascii(address) == expected
    assert to_ascii(expected) == expected
    assert mailbox_to_ascii(f"Zoë <{address}>") == f"Zoë <{expected}>"


@pytest.mark.parametrize("address", ["a@my_host.internal", "a@localhost", "a@-x-.example", "A@EXAMPLE.com"])
def test_an_address_in_ascii_stays_as_it_is(address):
    assert to_ascii(address) == mailbox_to_ascii(address) == address


@pytest.mark.parametrize("domain", ["☃.example", "ü..example", "ü" * 64 + ".example", "\u0301a.example"], ids=ascii)
def test_a_domain_that_is_none_is_an_error(domain):
    with pytest.raises(ValueError, match=r"\w"):
        to_ascii(f"a@{domain}")


def test_domains_beyond_ascii_need_no_server_that_takes_them(server, deliver_by, rows):
    promise(rows, GUEST, told("guest"))
    promise(rows, HOSTS[0], told("host"))
    deliver_by(Smtp("127.0.0.1", server.port))
    assert rows.statuses() == ["sent"] * 2
    recipients = [A_LABELS[GUEST], A_LABELS[HOSTS[0]]]
    assert [envelope.rcpt_tos for envelope in server.envelopes] == [[one] for one in recipients]
    answers = [f"{A_LABELS[HOSTS[0]]}, carol@example.com", A_LABELS[GUEST]]
    for envelope, recipient, answer in zip(server.envelopes, recipients, answers, strict=True):
        assert envelope.mail_from == "mail@xn--bcher-kva.example"
        assert "SMTPUTF8" not in envelope.mail_options
        mail = read_mail(envelope.content)
        assert (mail["To"], mail["Reply-To"]) == (recipient, answer)
        assert parseaddr(mail["From"]) == ("Bücherei", "mail@xn--bcher-kva.example")
        assert mail["Message-ID"].endswith("@xn--bcher-kva.example>")
        _, event = read_event(calendars_of(mail)[1][0].decode())
        assert event["ORGANIZER"] == "mailto:mail@xn--bcher-kva.example"
        assert set(event["ATTENDEE"]) == {f"mailto:{one}" for one in (*recipients, "carol@example.com")}


def test_only_a_local_part_beyond_ascii_needs_one(server, deliver_by, rows):
    promise(rows, "zoë@bücher.example", {"name": "Zoë"}, "WELCOME")
    promise(rows, GUEST, {"name": "Zoë"}, "WELCOME")
    deliver_by(Smtp("127.0.0.1", server.port))
    takes_all = server.SMTP_kwargs["enable_SMTPUTF8"]
    assert rows.statuses() == ["sent" if takes_all else "dead", "sent"]
    named = [envelope.rcpt_tos[0] for envelope in server.envelopes]
    assert named == ["zoë@xn--bcher-kva.example"] * takes_all + [A_LABELS[GUEST]]
    assert ["SMTPUTF8" in envelope.mail_options for envelope in server.envelopes] == [True] * takes_all + [False]


def test_an_answer_that_needs_one_keeps_no_mail_from_a_server_without(server, deliver_by, rows):
    promise(rows, HOSTS[1], told("host", guest="zoë@example.com"))
    promise(rows, "gwen@example.com", told("guest", hosts=["zoë@example.com", "carol@example.com"]))
    deliver_by(Smtp("127.0.0.1", server.port))
    assert rows.statuses() == ["sent"] * 2
    assert [read_mail(one.content)["Reply-To"] for one in server.envelopes] == [None, "carol@example.com"]


@pytest.mark.parametrize("provider", [Resend, SendGrid])
def test_json_names_domains_in_ascii(provider, httpserver, deliver_by, rows):
    httpserver.expect_request("/emails").respond_with_data("{}")
    httpserver.expect_request("/v3/mail/send").respond_with_data("{}")
    promise(rows, GUEST, told("guest"))
    deliver_by(provider(KEY, httpserver.url_for("")))
    (body,) = [request.get_data(as_text=True) for request, _ in httpserver.log]
    assert A_LABELS[GUEST] in body
    assert f"mail@{'xn--bcher-kva.example'}" in body
    for domain in ("пример", "bücher", "faß"):
        assert domain not in body


def test_a_recipient_whose_domain_is_none_is_dead_and_holds_nothing_up(deliver_by, server, rows):
    promise(rows, "a@☃.example", {"name": "A"}, "WELCOME")
    promise(rows, "b@example.com", {"name": "B"}, "WELCOME")
    deliver_by(Smtp("127.0.0.1", server.port))
    assert rows.statuses() == ["dead", "sent"]


@pytest.mark.parametrize(
    ("data", "recipient", "answers"),
    [
        (told("guest", hosts=["a@example.com", "b@example.com"]), GUEST, "a@example.com b@example.com"),
        (told("host", guest="g@example.com"), "a@example.com", "g@example.com"),
        (told("guest", hosts=["a@example.com", "g@example.com"]), "g@example.com", "a@example.com"),
        (told("host", guest="a@example.com"), "a@example.com", None),
        (told("guest", hosts=["zoë@example.com"]), "zoé@example.com", "zoë@example.com"),
        ({"name": "Alice"}, "a@example.com", None),
        ({"name": "Alice", "role": "member"}, "a@example.com", None),
    ],
)
def test_guests_answer_all_hosts_and_hosts_their_guest_and_nobody_oneself(data, recipient, answers):
    assert find_reply_to(data, recipient) == answers


def test_answers_are_kept_with_the_rendering_and_a_mail_rendered_before_goes_out_without(delivery, rows, mailbox):
    old, new = (promise(rows, "gwen@example.com", told("guest", hosts=["a@example.com"])) for _ in range(2))
    rows.execute(
        "UPDATE emails SET sender = 'old@example.com', subject = 'S', text_body = 'T', html_body = 'H' WHERE id = %s",
        (old,),
    )
    mailbox.refuse(503, times=2)
    delivery.drain()
    assert [rows[one]["reply_to"] for one in (old, new)] == [None, "a@example.com"]
    # Whoever is asked now would be somebody else.
    rows.execute("UPDATE emails SET data = data || '{\"hosts\": []}'")
    rows.make_due()
    delivery.drain()
    assert rows.statuses() == ["sent"] * 2
    contents = [
        {offer.content for offer in mailbox.offers if offer.key == str(rows[one]["idempotency_key"])}
        for one in (old, new)
    ]
    assert [len(content) for content in contents] == [1, 1]
    mails = [mailbox.mails[str(rows[one]["idempotency_key"])] for one in (old, new)]
    assert [mail.get("reply_to") for mail in mails] == [None, ["a@example.com"]]
