"""What takes part in a measurement: a web server, with the worker that sends its e-mails."""

from collections.abc import Callable
from dataclasses import dataclass

from scripts.stack.programs import Program


@dataclass(frozen=True, slots=True)
class Server:
    """A web server, its worker if it has one, and how much work this one has not come to yet."""

    web: Program
    worker: Program | None = None
    waiting: Callable[[], int] = int

    def check(self) -> None:
        """Raise StackError if something runs no more."""
        self.web.check()
        if self.worker:
            self.worker.check()
