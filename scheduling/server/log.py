"""Write gunicorn's own lines of the log in the format of all others."""

from typing import Any

from gunicorn.glogging import Logger

from jobs.logs import json_formatter


class JsonLogger(Logger):
    """Writes each line as a JSON object."""

    def setup(self, cfg: Any) -> None:
        """Set gunicorn's log up; gunicorn calls this again when it reloads."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(json_formatter())
