"""Configure `rq worker --config`; a bad setting stops the worker here, with one line that names it."""

from jobs.settings import read_delivery_settings

REDIS_URL = read_delivery_settings().redis.url
