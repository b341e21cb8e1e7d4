"""Send through a mail server (RFC 5321)."""

import re
import socket
import ssl
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from smtplib import SMTP, SMTP_SSL, SMTPException, SMTPResponseException, SMTPServerDisconnected

from jobs.mails.lines import one_line
from jobs.providers import mime
from jobs.providers.deadline import within
from jobs.providers.provider import DeliveryError, Failure, Message

GO_AHEAD = 354
REFUSED_LOGIN = frozenset({530, 534, 535, 538})
REFUSED_FOR_NOW = frozenset({450, 451, 452})


class Stage(StrEnum):
    """Name the part of the conversation that a reply is about."""

    GREETING = "the greeting"
    SENDER = "the sender"
    RECIPIENT = "the recipient"
    CONTENT = "the content"


@dataclass(slots=True)
class Attempt:
    """Hold the state of one attempt, which the thread that waits for it reads."""

    deadline: float
    content_sent: bool = False
    server: SMTP | None = None

    def give_up(self) -> None:
        """Shut down the connection, so that the thread of the attempt ends."""
        if self.server and self.server.sock:
            with suppress(OSError):
                self.server.sock.shutdown(socket.SHUT_RDWR)


class Smtp:
    """Send mails through one server, each over a connection of its own.

    `secure` speaks TLS from the first byte; otherwise STARTTLS is used where the server offers it.
    Certificates are verified. `silence` and `total` are seconds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str = "",
        password: str = "",
        *,
        secure: bool = False,
        silence: float = 5.0,
        total: float = 9.0,
    ) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.secure = secure
        self.silence = silence
        self.total = total

    def send(self, message: Message) -> str:
        """Offer a mail once and return its Message-ID.

        Raises DeliveryError.
        """
        attempt = Attempt(time.monotonic() + self.total)
        try:
            within(self.total, partial(self._deliver, message, attempt))
        except (OSError, UnicodeError) as error:  # SMTPException is an OSError
            attempt.give_up()
            raise _lost(error, attempt) from error
        return mime.message_id(message)

    def _deliver(self, message: Message, attempt: Attempt) -> None:
        with closing(self._connect()) as server:
            attempt.server = server
            self._log_in(server)
            _address(server, message)
            _send_content(server, mime.encode(message), attempt)
            # The mail has been accepted: the answer to QUIT is not waited for.
            with suppress(OSError):
                server.putcmd("quit")

    def _connect(self) -> SMTP:
        # smtplib would look up our own name, which can take longer than the mail.
        name = socket.gethostname()
        name = name if "." in name else "[127.0.0.1]"
        if self.secure:
            context = ssl.create_default_context()
            return SMTP_SSL(self.host, self.port, name, timeout=self.silence, context=context)
        return SMTP(self.host, self.port, name, timeout=self.silence)

    def _log_in(self, server: SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if not self.secure and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo_or_helo_if_needed()
        if self.user:
            server.login(self.user, self.password)


def classify(stage: Stage, code: int) -> Failure:
    """Return what the reply code of a server says about a mail (RFC 5321 4.2)."""
    if code in REFUSED_LOGIN:
        return Failure.CONFIGURATION
    if stage is Stage.RECIPIENT and code in REFUSED_FOR_NOW:
        return Failure.REJECTED
    match code // 100:
        case 4:
            return Failure.TRANSIENT
        case 5:
            # A refusal before the recipient is named is about us, not about the mail.
            about_mail = stage in {Stage.RECIPIENT, Stage.CONTENT}
            return Failure.PERMANENT if about_mail else Failure.CONFIGURATION
        case _:
            return Failure.AMBIGUOUS if stage is Stage.CONTENT else Failure.TRANSIENT


def _address(server: SMTP, message: Message) -> None:
    options = []
    if mime.needs_unicode(message):
        if not server.has_extn("smtputf8"):
            reason = "The mail server takes no addresses beyond ASCII."
            raise DeliveryError(reason, Failure.PERMANENT)
        options = ["SMTPUTF8", "BODY=8BITMIME"]
    _require(Stage.SENDER, server.mail(mime.address(message.sender), options)[0])
    _require(Stage.RECIPIENT, server.rcpt(one_line(message.to))[0])


def _send_content(server: SMTP, content: bytes, attempt: Attempt) -> None:
    code, _ = server.docmd("DATA")
    if code != GO_AHEAD:
        raise _refusal(Stage.CONTENT, code)
    if time.monotonic() >= attempt.deadline:
        raise TimeoutError
    attempt.content_sent = True
    # A line with a lone dot would end the mail: RFC 5321 4.5.2.
    server.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
    _require(Stage.CONTENT, server.getreply()[0])


def _require(stage: Stage, code: int) -> None:
    if code // 100 != 2:
        raise _refusal(stage, code)


def _refusal(stage: Stage, code: int) -> DeliveryError:
    return DeliveryError(f"The mail server answered {code} to {stage}.", classify(stage, code))


def _lost(error: OSError | UnicodeError, attempt: Attempt) -> DeliveryError:
    if attempt.content_sent:
        return DeliveryError("The mail server went away with the content.", Failure.AMBIGUOUS)
    match error:
        case SMTPResponseException():
            return _refusal(Stage.GREETING, error.smtp_code)
        case ssl.SSLCertVerificationError():
            return DeliveryError("The mail server's certificate is not trusted.", Failure.CONFIGURATION)
        case SMTPServerDisconnected():
            return DeliveryError("The mail server closed the connection.", Failure.TRANSIENT)
        case SMTPException() | UnicodeError():
            return DeliveryError("The mail server takes no such login.", Failure.CONFIGURATION)
        case _:
            return DeliveryError("The mail server could not be reached.", Failure.TRANSIENT)
