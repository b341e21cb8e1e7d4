"""Count what workers have not come to yet."""

import redis

from scripts.stack.databases import ask, connected

QUEUE = "rq:queue:emails"
# Counting costs too, and it is mostly enough to know that there are many.
MANY = 100_000

MAILS = "SELECT count(*) FROM (SELECT FROM emails WHERE status = 'pending' LIMIT %(most)s) AS pending"
# An earlier revision adds nothing up.
ADDS_UP = "SELECT to_regclass('analytics_rollup') IS NOT NULL"
EVENTS = """
    SELECT count(*)
    FROM (
        SELECT FROM analytics_events, analytics_rollup AS so_far
        WHERE (analytics_events.recorded_by, analytics_events.id) > (so_far.recorded_by, so_far.event_id)
        LIMIT %(most)s
    ) AS not_added_up"""


def work_waiting(database_url: str, redis_url: str, most: int = MANY) -> int:
    """Return how many e-mails, rings and events a worker of ours has not come to yet."""
    with connected(database_url) as connection:
        ((mails,),) = ask(connection, MAILS, {"most": most})
        ((adds_up,),) = ask(connection, ADDS_UP)
        ((events,),) = ask(connection, EVENTS, {"most": most}) if adds_up else ((0,),)
    with redis.Redis.from_url(redis_url) as client:
        rings = int(client.llen(QUEUE))
    return int(max(mails, rings) + events)


def jobs_waiting(redis_url: str) -> int:
    """Return how many jobs Bull or arq has not done yet."""
    with redis.Redis.from_url(redis_url) as client:
        bull = client.llen("bull:emails:wait") + client.llen("bull:emails:active")
        return int(bull + client.zcard("arq:queue"))
