"""The mails that a worker has in hand: threads offer them to the provider, at most as many as there are threads."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from jobs.providers.provider import DeliveryError, Message, Provider
from sql.queries import Row


class LeaseEnding(Exception):  # noqa: N818 - a state, not a fault of anybody
    """The lease may run out before an attempt would be over: somebody else would offer the mail at the same time."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A claimed mail as it is offered, and until when that may begin, on the monotonic clock."""

    row: Row
    message: Message
    offer_until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an offer: the provider's id of the mail, or what was raised."""

    mail: Mail
    provider_message_id: str
    error: BaseException | None

    @property
    def fault(self) -> BaseException | None:
        """Return what was raised if nobody should raise it."""
        return None if isinstance(self.error, DeliveryError | LeaseEnding) else self.error


@dataclass
class Hand:
    """Offers mails side by side; a provider that hangs holds up one thread and nobody else."""

    provider: Provider
    size: int
    _mails: dict[Future[str], Mail] = field(default_factory=dict, init=False)
    _done: SimpleQueue[Future[str]] = field(default_factory=SimpleQueue, init=False)
    _threads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(self.size, thread_name_prefix="sender")

    @property
    def is_empty(self) -> bool:
        """Tell whether no mail is in hand."""
        return not self._mails

    @property
    def room(self) -> int:
        """Return how many threads have no mail."""
        return self.size - len(self._mails)

    def take(self, mail: Mail) -> None:
        """Offer a mail in a thread that is free."""
        future = self._threads.submit(self._offer, mail)
        self._mails[future] = mail
        future.add_done_callback(self._done.put)

    def answers(self, within: float) -> list[Answer]:
        """Return the answers that have come; wait some seconds for the first."""
        found: list[Answer] = []
        with suppress(Empty):
            found.append(self._answer(self._done.get(block=not self.is_empty, timeout=within)))
            while True:
                found.append(self._answer(self._done.get_nowait()))
        return found

    def _offer(self, mail: Mail) -> str:
        if time.monotonic() > mail.offer_until:
            raise LeaseEnding
        return self.provider.send(mail.message)

    def _answer(self, future: Future[str]) -> Answer:
        error = future.exception()
        return Answer(self._mails.pop(future), "" if error else future.result(), error)
