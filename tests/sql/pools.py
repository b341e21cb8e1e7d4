"""Use a pool, and look from outside at the sessions that it holds."""

from tests.databases import ask
from tests.waiting import eventually


def value(connection, statement="SELECT pg_backend_pid()", *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()[0]


def use(pool, *question):
    with pool.connection() as connection:
        return value(connection, *question)


def terminate(database, *pids):
    """End sessions as a server does that is told to, and wait until they are gone."""
    ask(database, "SELECT pg_terminate_backend(pid) FROM unnest(%s) AS sessions (pid)", list(pids))
    eventually(lambda: not ask(database, "SELECT pid FROM pg_stat_activity WHERE pid = ANY(%s)", list(pids)))


def sessions(database, pool):
    name = pool.session.application_name
    return [row["pid"] for row in ask(database, "SELECT pid FROM pg_stat_activity WHERE application_name = %s", name)]


def fail(pool, *statements):
    with pool.connection() as connection:
        fail.pid = value(connection)
        for statement in statements:
            value(connection, statement)
