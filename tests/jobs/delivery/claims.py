"""Claim and settle mails by hand, as one of several workers would."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from jobs.delivery.email_store import LEASE_SECONDS
from sql.queries import emails


def claim(delivery, limit=1, rate_limit=1000):
    with delivery.database.statement() as tx:
        emails.insert_rate_slots(tx, rate_slots=rate_limit)
    with delivery.database.statement() as tx:
        return emails.claim_emails(
            tx,
            kinds=delivery.store.kinds,
            limit=limit,
            lease_seconds=LEASE_SECONDS,
            rate_slots=rate_limit,
            reserved_slots=0,
            rate_window=60,
        )


def settle_sent(delivery, row):
    with delivery.database.statement() as tx:
        return emails.settle_sent(
            tx, email_ids=[row["id"]], fences=[row["fence"]], provider_message_ids=["stale"], rate_window=60
        )


def settle_dead(delivery, row):
    with delivery.database.statement() as tx:
        return emails.settle_failed(
            tx,
            email_id=row["id"],
            fence=row["fence"],
            failure="permanent",
            error="stale",
            wait_seconds=0.0,
            rejected=1,
            dead=True,
            rate_window=60,
        )


def offer(delivery, row):
    """Go on with a claimed mail as a drain does."""
    for mail in delivery.preparation.prepare([row], time.monotonic()):
        delivery.pool.offer(mail)
    delivery.settlement.settle(delivery.pool.answers(within=10))


def at_once(work, *arguments):
    """Do something in as many threads as there are arguments, all starting in one moment."""
    barrier = threading.Barrier(len(arguments))

    def start(argument):
        barrier.wait(10)
        return work(argument)

    with ThreadPoolExecutor(len(arguments)) as threads:
        return list(threads.map(start, arguments))
