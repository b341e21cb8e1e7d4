"""Offer several mails at a time: each thread of the pool offers one mail to the provider."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from jobs.providers.provider import DeliveryError, Message, Provider
from sql.queries import Row


class LeaseEnding(Exception):  # noqa: N818 - a state, not a fault of anybody
    """The lease may run out before an attempt would be over: another worker would offer the mail at the same time."""


@dataclass(frozen=True, slots=True)
class Mail:
    """Hold a claimed mail, and the time on the monotonic clock until which an offer of it may begin."""

    row: Row
    message: Message
    offer_until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold the result of an offer: the provider's id of the mail, or the exception that was raised."""

    mail: Mail
    provider_message_id: str
    error: BaseException | None

    @property
    def fault(self) -> BaseException | None:
        """Return the exception if it is a fault of our own and no failure of the delivery."""
        return None if isinstance(self.error, DeliveryError | LeaseEnding) else self.error


@dataclass
class SenderPool:
    """Offer mails in `size` threads; a provider that hangs blocks one thread and not the others."""

    provider: Provider
    size: int
    _mails: dict[Future[str], Mail] = field(default_factory=dict, init=False)
    _done: SimpleQueue[Future[str]] = field(default_factory=SimpleQueue, init=False)
    _threads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="sender")

    @property
    def is_idle(self) -> bool:
        """Tell whether no mail is being offered."""
        return not self._mails

    @property
    def free(self) -> int:
        """Return how many threads are free."""
        return self.size - len(self._mails)

    def offer(self, mail: Mail) -> None:
        """Offer a mail in a free thread."""
        future = self._threads.submit(self._send, mail)
        self._mails[future] = mail
        future.add_done_callback(self._done.put)

    def answers(self, within: float) -> list[Answer]:
        """Return the answers that have come; wait at most `within` seconds for the first."""
        found: list[Answer] = []
        with suppress(Empty):
            found.append(self._answer(self._done.get(block=not self.is_idle, timeout=within)))
            while True:
                found.append(self._answer(self._done.get_nowait()))
        return found

    def _send(self, mail: Mail) -> str:
        if time.monotonic() > mail.offer_until:
            raise LeaseEnding
        return self.provider.send(mail.message)

    def _answer(self, future: Future[str]) -> Answer:
        error = future.exception()
        return Answer(self._mails.pop(future), "" if error else future.result(), error)
