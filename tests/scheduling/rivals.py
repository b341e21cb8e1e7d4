"""Requests that meet in PostgreSQL, not only at the door."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2

from tests.client import Client
from tests.waiting import eventually

# Within a transaction the answer would be that of the first time.
WAITING = """
SELECT pg_stat_clear_snapshot();
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


def ask(connection, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def meet(app, settings, table, calls):
    """Send (person, method, path, body) while the rows of a table are locked, until all wait; return the answers."""
    url = settings.delivery.database_url
    with closing(psycopg2.connect(url)) as holder, ThreadPoolExecutor(len(calls)) as threads:
        # A lock of the table would be waited for before a statement looks at anything.
        ask(holder, f"SELECT FROM {table} FOR UPDATE")
        futures = [
            threads.submit(Client(app.test_client(), person.token).send, method, path, body)
            for person, method, path, body in calls
        ]
        # Who waits for two seconds is answered 503.
        eventually(lambda: ask(holder, WAITING)[0][0] == len(calls), within=1.5)
        holder.rollback()
        return [future.result() for future in futures]
