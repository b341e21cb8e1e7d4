"""Speak HTTP to the API as a careful client does: repeat under the same key until the outcome is known."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import requests

from scripts.chaos.history import Attempt, History, Operation, Outcome, is_doubtful, now

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 10.0
PASSWORD = "correct horse"  # noqa: S105  of people who do not exist
# How long a client goes on when the outcome stays unknown.
PERSISTENCE_SECONDS = 25.0
TOO_EARLY = "idempotency_in_progress"


@dataclass(slots=True)
class Answer:
    """What became of a request; without a status nothing was received."""

    status: int | None
    body: dict[str, Any] = field(default_factory=dict)
    etag: str = ""

    @property
    def code(self) -> str:
        """Return the code of a refusal."""
        return str(self.body.get("code", ""))


class Api:
    """One client's connection to the API."""

    def __init__(self, url: str, history: History, random: Random, stopping: threading.Event) -> None:
        self._url = url
        self._history = history
        self._random = random
        self._stopping = stopping
        self._session = requests.Session()
        self._session.trust_env = False

    def perform(
        self,
        operation: Operation,
        method: str,
        path: str,
        *,
        token: str = "",
        body: Mapping[str, object] | None = None,
        etag: str = "",
        persistent: bool = True,
    ) -> Answer:
        """Send an operation until its outcome is known, or patience ends; write everything down."""
        self._history.invoke(operation)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": operation.key} if operation.key else {}
        headers |= {"If-Match": etag} if etag else {}
        give_up_at = now() + PERSISTENCE_SECONDS
        pause = 0.1
        while True:
            answer = self._send(operation, method, path, headers, body)
            if not is_doubtful(answer.status) and answer.code != TOO_EARLY:
                _judge(operation, answer)
                return answer
            if not persistent or now() > give_up_at:
                return answer
            # Not beyond the persistence of a client, even when the run is over: the outcome is worth knowing.
            threading.Event().wait(self._random.uniform(pause, 2 * pause))
            pause = min(pause * 2, 1.0)

    def _send(
        self,
        operation: Operation,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Mapping[str, object] | None,
    ) -> Answer:
        began = now()
        try:
            with self._history.flight():
                response = self._session.request(
                    method,
                    f"{self._url}/api/v1{path}",
                    headers=dict(headers),
                    json=body,
                    timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                )
        except requests.RequestException as error:
            reason = "no answer in time" if isinstance(error, requests.ReadTimeout) else "connection lost"
            operation.attempts.append(Attempt(began, now() - began, None, reason))
            return Answer(None)
        operation.attempts.append(
            Attempt(
                began,
                now() - began,
                response.status_code,
                retry_after="Retry-After" in response.headers,
                request_id=response.headers.get("X-Request-ID", ""),
            )
        )
        try:
            content = response.json()
        except requests.JSONDecodeError:
            content = {}
        return Answer(response.status_code, content, response.headers.get("ETag", ""))


def _judge(operation: Operation, answer: Answer) -> None:
    operation.code = answer.code
    if answer.status is not None and answer.status < 300:
        operation.outcome = Outcome.OK
    elif not operation.has_doubt:
        operation.outcome = Outcome.FAIL
    elif (operation.kind, answer.status, answer.code) in HAPPENED:
        operation.outcome = Outcome.OK


# What a repetition is told when an earlier attempt, whose answer got lost, had its effect.
HAPPENED = {
    ("cancel", 404, "not_found"),
    ("register", 400, "email_taken"),
    # Nobody but its guest changes a booking, and no other attempt bears this version.
    ("guest move", 412, "precondition_failed"),
    ("guest cancel", 412, "precondition_failed"),
}
