"""Simulate sending, and keep the mails in a folder where a person can read them."""

import time
from pathlib import Path
from tempfile import NamedTemporaryFile

import structlog

from jobs.providers import mime
from jobs.providers.provider import DeliveryError, Failure, Message

log = structlog.get_logger()


class Mock:
    """Simulate a provider that takes some seconds and accepts every mail.

    Where a folder is given, each mail is kept in it as `<email_id>-<kind>.eml`.
    """

    def __init__(self, delay: float = 1.0, folder: str = "") -> None:
        self.delay = delay
        self.folder = folder

    def send(self, message: Message) -> str:
        """Accept a mail after the delay.

        Raises DeliveryError where the folder cannot be written.
        """
        time.sleep(self.delay)
        if self.folder:
            self._keep(message)
        log.info("email_mocked", email_id=message.email_id, kind=message.kind)
        return f"mock-{message.email_id}"

    def _keep(self, message: Message) -> None:
        folder = Path(self.folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # A reader of the folder sees a whole mail or none.
            with NamedTemporaryFile(dir=folder, prefix=".", delete=False) as draft:
                draft.write(mime.encode(message))
            Path(draft.name).replace(folder / f"{message.email_id}-{message.kind}.eml")
        except OSError as error:
            raise DeliveryError("The mock mailbox cannot be written.", Failure.CONFIGURATION) from error
