"""Post to a provider's HTTP API and classify its answer."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import orjson
import requests
from urllib3.exceptions import HTTPError, NewConnectionError

from jobs.providers.connection import DeadlineAdapter, TimedBody
from jobs.providers.deadline import within
from jobs.providers.provider import DeliveryError, Failure

ANSWER_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 3600.0
# One for each thread of the largest pool of senders, so that connections are reused.
CONNECTIONS = 200

FAILURES: Mapping[int, Failure] = {
    **dict.fromkeys((400, 404, 405, 406, 410, 411, 413, 414, 415, 422), Failure.PERMANENT),
    **dict.fromkeys((401, 402, 403, 407), Failure.CONFIGURATION),
    408: Failure.AMBIGUOUS,
    425: Failure.TRANSIENT,
    429: Failure.THROTTLED,
    **dict.fromkeys((502, 504), Failure.AMBIGUOUS),  # a gateway does not know what happened behind it
}
CLASSES: Mapping[int, Failure] = {3: Failure.CONFIGURATION, 4: Failure.REJECTED, 5: Failure.TRANSIENT}
# Resend answers 409 to both: a changed body is refused for good, a concurrent attempt ends soon.
ERROR_NAMES: Mapping[str, Failure] = {
    "invalid_idempotent_request": Failure.PERMANENT,
    "concurrent_idempotent_requests": Failure.TRANSIENT,
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limit the stages of a request, in seconds; the total stays below the lease of 15 seconds."""

    connect: float = 3.0
    answer: float = 6.0
    total: float = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold what a provider answered; the body is empty unless it is a JSON object."""

    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class Api:
    """Post mails to one URL with one key over connections that are kept."""

    def __init__(self, url: str, key: str, timeouts: Timeouts | None = None) -> None:
        self.url = url
        self.key = key
        self.timeouts = timeouts or Timeouts()
        # An adapter without a Session: a Session would add redirects, cookies, proxies and netrc.
        self.adapter = DeadlineAdapter(pool_maxsize=CONNECTIONS)

    def post(self, body: bytes, idempotency_key: str) -> Answer:
        """Return the answer of a provider that has accepted the body.

        Raises DeliveryError otherwise.
        """
        request = self._prepare(body, idempotency_key)
        try:
            answer = within(self.timeouts.total, partial(self._attempt, request))
        except TimeoutError as error:
            raise DeliveryError("The provider did not answer in time.", Failure.AMBIGUOUS) from error
        except (requests.RequestException, HTTPError) as error:
            raise _lost(error) from error
        if answer.status // 100 != 2:
            raise _refusal(answer)
        return answer

    def _prepare(self, body: bytes, idempotency_key: str) -> requests.PreparedRequest:
        headers = {
            "Authorization": f"Bearer {self.key}".encode(),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Idempotency-Key": idempotency_key,
            "User-Agent": "scheduling",  # Resend refuses requests without one
        }
        timed = TimedBody(body, self.timeouts.total)
        try:
            return requests.Request("POST", self.url, data=timed, headers=headers).prepare()
        except requests.RequestException as error:
            reason = "The address or the key of the provider is malformed."
            raise DeliveryError(reason, Failure.CONFIGURATION) from error

    def _attempt(self, request: requests.PreparedRequest) -> Answer:
        timeout = (self.timeouts.connect, self.timeouts.answer)
        response = self.adapter.send(request, stream=True, timeout=timeout, verify=True)
        try:
            return Answer(response.status_code, response.headers, _object(_read(response)))
        finally:
            response.close()


def identifier(value: object) -> str:
    """Return a provider's id of a mail, or "" for what cannot be one."""
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]{1,255}", value) else ""


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After asks for, at most 3,600, or None for an invalid one.

    RFC 9110 10.2.3: a number of seconds or a date.
    """
    if value is None:
        return None
    if re.fullmatch(r"[0-9]+", value):
        return min(float(value), RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
        # A date whose zone is -0000 comes without one.
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(seconds.total_seconds(), 0.0), RETRY_AFTER_SECONDS)


def _read(response: requests.Response) -> bytes:
    """Return the first bytes of the body, or none when it breaks off: the status is known by then."""
    try:
        return response.raw.read(ANSWER_BYTES, decode_content=False)
    except HTTPError:
        return b""


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _refusal(answer: Answer) -> DeliveryError:
    name = str(answer.body.get("name", ""))
    retry_after = parse_retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
    failure = FAILURES.get(answer.status) or CLASSES.get(answer.status // 100, Failure.AMBIGUOUS)
    if answer.status == requests.codes.conflict:
        failure = ERROR_NAMES.get(name, failure)
    if answer.status == requests.codes.unavailable and retry_after is not None:
        failure = Failure.THROTTLED
    # Only the name of an error is quoted: its message may repeat the address or the key.
    detail = f" ({name})" if re.fullmatch(r"[a-z_]{1,64}", name) else ""
    return DeliveryError(f"The provider answered {answer.status}{detail}.", failure, retry_after)


def _lost(error: requests.RequestException | HTTPError) -> DeliveryError:
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError):
        return DeliveryError("The provider could not be reached.", Failure.TRANSIENT)
    if isinstance(error, requests.exceptions.InvalidURL):
        return DeliveryError("The address of the provider is malformed.", Failure.CONFIGURATION)
    if isinstance(getattr(cause, "args", [None])[0], ssl.SSLCertVerificationError):
        return DeliveryError("The provider's certificate is not trusted.", Failure.CONFIGURATION)
    return DeliveryError("The connection to the provider broke before it answered.", Failure.AMBIGUOUS)
