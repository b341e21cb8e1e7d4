"""Create the partition of each month of events before it begins, and drop those past the retention."""

import psycopg2
import structlog

from sql.database import Database
from sql.queries import analytics

log = structlog.get_logger(__name__)

# Workers may be away for two months before events go to the default partition, from which they are moved later.
_AHEAD = 2


def keep_months(database: Database, retention_months: int) -> None:
    """Create the months to come and drop those past the retention (0: none); skip a month that is locked."""
    with database.reading() as tx:
        months = [row["month"] for row in analytics.select_missing_months(tx, ahead=_AHEAD)]
    for month in months:
        try:
            with database.transaction() as tx:
                analytics.open_month(tx, month=month)
        except psycopg2.errors.LockNotAvailable:
            log.warning("analytics_month_in_use", month=month.date().isoformat())
    if retention_months:
        drop_months(database, retention_months)


def drop_months(database: Database, retention_months: int) -> None:
    """Drop the events of the months that ended so many months ago, and their counts."""
    try:
        with database.transaction() as tx:
            if not analytics.try_analytics_lock(tx):
                return
            until = analytics.drop_months(tx, retention_months=retention_months)
            if until is not None:
                analytics.delete_counts(tx, before=until, limit=None)
                analytics.delete_last_seen(tx, before=until)
                log.info("analytics_months_dropped", until=until.date().isoformat())
    except psycopg2.errors.LockNotAvailable:
        log.warning("analytics_month_in_use", month="past")
