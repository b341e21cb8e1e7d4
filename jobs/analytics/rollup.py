"""Add up analytics events in the background, so that the dashboard need not count them.

The rollup runs as a thread of every worker. Any number may run at once: one of them adds up, the others skip.
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

# The dashboard counts the events that are not added up yet.
_INTERVAL_SECONDS = 0.5
# A batch takes well under a second, however long the backlog is.
_BATCH = 10_000
_CLEAN_EVERY_SECONDS = 60.0


@dataclass
class Rollup:
    """Add up events twice a second."""

    database: Database
    retention_months: int
    batch: int = _BATCH
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _next_cleaning: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="rollup", daemon=True)
        self._thread.start()

    def stop(self, *, within: float) -> None:
        """Finish the current batch and stop; wait at most `within` seconds."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(within)

    def catch_up(self) -> None:
        """Add up all events that no open transaction can still precede."""
        while self.add_up() >= self.batch and not self._stop.is_set():
            pass

    def add_up(self) -> int:
        """Add up one batch; return the number of events, 0 when another worker is adding up."""
        with self.database.transaction() as tx:
            if not analytics.try_analytics_lock(tx):
                return 0
            if analytics.reset_foreign_rollup(tx):
                log.warning("rollup_begins_anew")
            adopted: int = analytics.adopt_foreign_events(tx, limit=self.batch)
            return max(adopted, analytics.roll_up_events(tx, limit=self.batch))

    def clean_up(self) -> None:
        """Create and drop months, and delete counts that are too old for any dashboard."""
        keep_months(self.database, self.retention_months)
        with self.database.transaction() as tx:
            if analytics.try_analytics_lock(tx):
                analytics.delete_counts(tx, before=None, limit=self.batch)

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS):
            try:
                if time.monotonic() >= self._next_cleaning:
                    self._next_cleaning = time.monotonic() + _CLEAN_EVERY_SECONDS
                    self.clean_up()
                self.catch_up()
            except (psycopg2.Error, PoolExhausted) as error:
                log.warning("rollup_waits_for_postgresql", reason=type(error).__name__)


def make_rollup(settings: DeliverySettings) -> Rollup:
    """Return the rollup of this process; it has its own connection."""
    session = Session("rollup", answer_within=11.0, statement_timeout=10.0, prepares=settings.prepares)
    return Rollup(Database(settings.database_url, size=1, session=session), settings.analytics_retention_months)
