"""The retry policy as one table."""

import pytest

from jobs.delivery.retry import RetryPolicy
from jobs.providers.provider import Failure

POLICY = RetryPolicy(attempts=3)
HOUR = 3600.0


def step_after(failure, *, rejections=0, tries=1, age=0.0, retry_after=None, jitter=1.0, policy=POLICY):
    return policy.next_step(
        failure, rejections=rejections, tries=tries, age_seconds=age, retry_after=retry_after, jitter=jitter
    )


@pytest.mark.parametrize(
    ("failure", "before", "consequence"),  # dead, seconds to wait, costs an attempt, alarm
    [
        # A clear refusal ends it at once, however young the mail.
        (Failure.PERMANENT, {}, (True, 0, True, False)),
        # A rejection is repeated soon, then after any greylist, and ends with the last attempt.
        (Failure.REJECTED, {"rejections": 0}, (False, 5, True, False)),
        (Failure.REJECTED, {"rejections": 1}, (False, 660, True, False)),
        (Failure.REJECTED, {"rejections": 2}, (True, 0, True, False)),
        (Failure.REJECTED, {"rejections": 1, "tries": 40}, (False, 660, True, False)),
        # Patience is what the provider asks for, and uses up nothing.
        (Failure.THROTTLED, {"jitter": 0.0, "retry_after": 120.0}, (False, 120, False, False)),
        (Failure.THROTTLED, {"jitter": 1.0, "retry_after": 120.0}, (False, 132, False, False)),
        (Failure.THROTTLED, {"jitter": 0.0, "retry_after": 0.0}, (False, 1, False, False)),
        (Failure.THROTTLED, {"retry_after": 9000.0}, (False, HOUR, False, False)),
        (Failure.THROTTLED, {}, (False, 30, False, False)),
        (Failure.THROTTLED, {"rejections": 2, "tries": 900}, (False, 30, False, False)),
        # A wrong key parks the mail and calls for a person.
        (Failure.CONFIGURATION, {}, (False, 30, False, True)),
        (Failure.CONFIGURATION, {"tries": 2}, (False, 60, False, True)),
        (Failure.CONFIGURATION, {"tries": 500}, (False, 60, False, True)),
        # An outage backs off, half of it by chance, and uses up nothing.
        (Failure.TRANSIENT, {"jitter": 0.0}, (False, 0.5, False, False)),
        (Failure.TRANSIENT, {"jitter": 1.0}, (False, 1, False, False)),
        (Failure.TRANSIENT, {"tries": 2}, (False, 2, False, False)),
        (Failure.TRANSIENT, {"tries": 3}, (False, 4, False, False)),
        (Failure.TRANSIENT, {"tries": 6}, (False, 32, False, False)),
        (Failure.TRANSIENT, {"tries": 10_000, "rejections": 2}, (False, 60, False, False)),
        (Failure.TRANSIENT, {"retry_after": 20.0, "jitter": 0.0}, (False, 20, False, False)),
        (Failure.TRANSIENT, {"retry_after": 20.0, "tries": 10, "jitter": 1.0}, (False, 60, False, False)),
        (Failure.AMBIGUOUS, {}, (False, 1, False, False)),
        (Failure.AMBIGUOUS, {"tries": 10_000, "rejections": 2}, (False, 60, False, False)),
        # No attempt is planned beyond the horizon.
        (Failure.TRANSIENT, {"age": 23 * HOUR - 2}, (False, 1, False, False)),
        (Failure.TRANSIENT, {"age": 23 * HOUR - 1}, (True, 0, False, False)),
        (Failure.AMBIGUOUS, {"age": 24 * HOUR}, (True, 0, False, False)),
        (Failure.THROTTLED, {"age": 22.5 * HOUR, "retry_after": HOUR}, (True, 0, False, False)),
        (Failure.CONFIGURATION, {"age": 23 * HOUR}, (True, 0, False, True)),
        (Failure.REJECTED, {"age": 23 * HOUR}, (True, 0, True, False)),
    ],
)
def test_each_failure_has_its_consequence(failure, before, consequence):
    step = step_after(failure, **before)
    assert (step.dead, pytest.approx(step.wait_seconds), step.costs_attempt, step.alarm) == consequence
    assert bool(step.reason) == step.dead


@pytest.mark.parametrize("failure", Failure)
def test_every_class_of_failure_is_known(failure):
    assert step_after(failure).wait_seconds >= 0


def test_one_attempt_means_that_the_first_rejection_is_the_last():
    assert step_after(Failure.REJECTED, policy=RetryPolicy(attempts=1)).dead


def test_an_intent_expires_with_the_horizon():
    assert not POLICY.expired(23 * HOUR - 1)
    assert POLICY.expired(23 * HOUR)
