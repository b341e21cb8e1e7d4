"""Hash passwords with bcrypt, after SHA-256 where bcrypt would ignore bytes, and check new ones."""

import base64
import hashlib
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import bcrypt
from zxcvbn import zxcvbn

from scheduling.errors import invalid, too_many
from scheduling.settings import Settings

MAX_CHARACTERS = 1024

_BCRYPT_BYTES = 72
_ESTIMATED_CHARACTERS = 32
_TOO_FEW_GUESSES = 10**6
_PLAIN, _PREHASHED = "bcrypt", "sha256+bcrypt"


@dataclass(frozen=True, slots=True)
class HashedPassword:
    """A password as the row of a user stores it."""

    text: str
    scheme: str


@dataclass(frozen=True, slots=True)
class Passwords:
    """Hashes and compares one password at a time, with a short queue: other routes keep a processor and threads.

    When the queue is full, both raise ApiError 429.
    """

    rounds: int
    nobody: HashedPassword = field(repr=False)
    queue: threading.BoundedSemaphore
    one: threading.Lock = field(default_factory=threading.Lock)

    def hash(self, password: str) -> HashedPassword:
        """Return what to store of a password."""
        text = normalise(password).encode()
        scheme = _PLAIN if len(text) <= _BCRYPT_BYTES else _PREHASHED
        with self._turn():
            hashed = bcrypt.hashpw(_input(text, scheme), bcrypt.gensalt(self.rounds))
        return HashedPassword(hashed.decode(), scheme)

    def verify(self, password: str, known: HashedPassword | None) -> bool:
        """Tell whether a password is the known one; without a known one it takes as long to say no."""
        text = normalise(password).encode()
        hashed = known or self.nobody
        if hashed.scheme == _PLAIN and len(text) > _BCRYPT_BYTES:
            # bcrypt refuses longer input. The password is wrong anyway, and the answer must take as long.
            text, known = text[:_BCRYPT_BYTES], None
        with self._turn():
            matches = bcrypt.checkpw(_input(text, hashed.scheme), hashed.text.encode())
        return matches and known is not None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.queue.acquire(blocking=False):
            raise too_many("Too many people sign in at this moment; try again", retry_after=1)
        try:
            with self.one:
                yield
        finally:
            self.queue.release()


def make_passwords(rounds: int, *, waiting: int) -> Passwords:
    """Return a hasher with bcrypt's cost `rounds`, for at most `waiting` callers at a time."""
    nobody = bcrypt.hashpw(b"nobody", bcrypt.gensalt(rounds)).decode()
    return Passwords(rounds, HashedPassword(nobody, _PLAIN), threading.BoundedSemaphore(waiting))


def require_acceptable(settings: Settings, password: str, pointer: str, *known: str) -> None:
    """Raise ApiError 400 for a new password that the settings refuse; `known` is what is known of its owner."""
    fault = find_fault(settings, password, *known)
    if fault is not None:
        raise invalid(pointer, fault)


def find_fault(settings: Settings, password: str, *known: str) -> str | None:
    """Return why the settings refuse a new password, or None."""
    if len(normalise(password)) < settings.password_min_length:
        return f"Password must be at least {settings.password_min_length} characters"
    if settings.password_reject_common and _is_easy_to_guess(password, *known):
        return "This password is easy to guess; choose another"
    return None


def _is_easy_to_guess(password: str, *known: str) -> bool:
    """Tell whether a password is found within a million guesses."""
    # More characters only make a password harder to guess, and zxcvbn is slow for long ones.
    return bool(zxcvbn(password[:_ESTIMATED_CHARACTERS], user_inputs=known)["guesses"] < _TOO_FEW_GUESSES)


def normalise(password: str) -> str:
    """Return a password in Unicode NFC: keyboards encode the same character in different ways."""
    return unicodedata.normalize("NFC", password)


def _input(text: bytes, scheme: str) -> bytes:
    """Return the input of bcrypt; base64, because bcrypt stops at a NUL byte."""
    return text if scheme == _PLAIN else base64.b64encode(hashlib.sha256(text).digest())
