"""Do something in a forked process and hear what came of it."""

import json
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from typing import Any


class Child:
    """A forked process that runs a function; its answer must fit into JSON."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._answers, write = os.pipe()
        with warnings.catch_warnings():
            # Newer Pythons warn of threads: the child must not wait for one, which is what such a test is about.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            self._run(work, write)
        os.close(write)

    def result(self, *, within: int = 20) -> Any:
        """Return what the function returned; fail when it failed or took too long."""
        previous = signal.signal(signal.SIGALRM, lambda *_: os.kill(self.pid, signal.SIGKILL))
        signal.alarm(within)
        try:
            with os.fdopen(self._answers) as answers:
                text = answers.read()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
            os.waitpid(self.pid, 0)
        assert text, f"the child did not answer within {within} s"
        answer = json.loads(text)
        assert "error" not in answer, answer["error"]
        return answer["value"]

    @staticmethod
    def _run(work: Callable[[], Any], write: int) -> None:
        try:
            answer = {"value": work()}
        except BaseException:  # noqa: BLE001 - the parent reports it
            answer = {"error": traceback.format_exc()}
        try:
            os.write(write, json.dumps(answer).encode())
        finally:
            # Nothing of the parent may be cleaned up here: neither its tests nor its servers.
            os._exit(0)
