"""gunicorn's own lines in the shape of every other line of the log."""

from typing import Any

from gunicorn.glogging import Logger

from jobs.logs import json_formatter


class JsonLogger(Logger):
    """Writes each line as a JSON object."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's settings; a reload calls this again."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(json_formatter())
