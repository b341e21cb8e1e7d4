"""The rollup adds up analytics events, so that the dashboard need not, exactly and behind the backs of the requests.

It runs as a thread of every worker. Any number may run at once: one of them adds up, the others skip a turn.
"""

import threading
import time
from dataclasses import dataclass, field

import psycopg2
import structlog

from jobs.analytics.months import keep_months
from jobs.settings import DeliverySettings
from sql.database import Database
from sql.pool import PoolExhausted, Session
from sql.queries import analytics

log = structlog.get_logger(__name__)

# Events that are not added up yet are added by each dashboard.
_INTERVAL_SECONDS = 0.5
# A batch takes well under a second, so that a backlog of any length is worked off in statements that are not.
_BATCH = 10_000
_TIDY_EVERY_SECONDS = 60.0


@dataclass
class Rollup:
    """One look at the events twice a second."""

    database: Database
    retention_months: int
    batch: int = _BATCH
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _next_tidying: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Add up twice a second from now on, in a thread."""
        self._thread = threading.Thread(target=self._look_on, name="rollup", daemon=True)
        self._thread.start()

    def stop(self, *, within: float) -> None:
        """Finish the batch in hand, if there is one, and stop; wait at most `within` seconds."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(within)

    def catch_up(self) -> None:
        """Add up all that is final by now."""
        while self.add_up() >= self.batch and not self._stop.is_set():
            pass

    def add_up(self) -> int:
        """Add up one batch; return how many events were moved on, none when somebody else is adding up."""
        with self.database.transaction() as tx:
            if not analytics.try_analytics_lock(tx):
                return 0
            if analytics.reset_foreign_rollup(tx):
                log.warning("rollup_begins_anew")
            adopted: int = analytics.adopt_foreign_events(tx, limit=self.batch)
            return max(adopted, analytics.roll_up_events(tx, limit=self.batch))

    def tidy(self) -> None:
        """Keep the months, and forget counts that no dashboard reaches back to."""
        keep_months(self.database, self.retention_months)
        with self.database.transaction() as tx:
            if analytics.try_analytics_lock(tx):
                analytics.delete_counts(tx, before=None, limit=self.batch)

    def _look_on(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS):
            try:
                if time.monotonic() >= self._next_tidying:
                    self._next_tidying = time.monotonic() + _TIDY_EVERY_SECONDS
                    self.tidy()
                self.catch_up()
            except (psycopg2.Error, PoolExhausted) as error:
                log.warning("rollup_waits_for_postgresql", reason=type(error).__name__)


def make_rollup(settings: DeliverySettings) -> Rollup:
    """Return the rollup of this process, with a connection of its own."""
    session = Session("rollup", answer_within=11.0, statement_timeout=10.0, prepares=settings.prepares)
    return Rollup(Database(settings.database_url, size=1, session=session), settings.analytics_retention_months)
