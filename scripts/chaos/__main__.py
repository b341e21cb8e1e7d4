"""Break everything while people book, and check that nothing is lost and nothing is sent twice."""

import argparse
import json
import signal
import sys
from pathlib import Path

from scripts.chaos.measurements import measure_drain, measure_redis_down, measure_resend
from scripts.chaos.report import summary, table
from scripts.chaos.run import Scenario, run
from scripts.stack.errors import StackError

COMMANDS = """
commands:
  run         break everything at random (the default)
  redis-down  compare bookings while Redis is stopped, silent, full and flushed with bookings while it is well
  drain       measure how long two workers take for --mails mails that wait
  resend      measure how long the mail in hand of a worker waits that is killed, --kills times
"""


def main() -> int:
    """Run what was asked for; return the exit code."""
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("chaos: terminated."))
    try:
        return 0 if hold(arguments) else 1
    except (StackError, OSError) as error:
        sys.exit(f"chaos: {error}")
    except KeyboardInterrupt:
        sys.exit("chaos: interrupted.")


def hold(arguments: argparse.Namespace) -> bool:
    """Run the command; tell whether all promises were kept."""
    match arguments.command:
        case "redis-down":
            return measure_redis_down(arguments.seconds or 10.0)
        case "drain":
            return measure_drain(arguments.mails)
        case "resend":
            return measure_resend(arguments.kills)
    scenario = Scenario(arguments.seed, arguments.seconds or 60.0, arguments.clients, arguments.bookings_per_second)
    result = run(scenario)
    print("\n" + table(result))
    if arguments.report:
        arguments.report.write_text(json.dumps(summary(result), indent=2) + "\n")
    return not result.violations


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.chaos",
        description=__doc__,
        epilog=COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = ("run", "redis-down", "drain", "resend")
    parser.add_argument("command", nargs="?", default="run", choices=commands, metavar="command")
    parser.add_argument("--seed", type=int, default=1, help="decides what breaks when, and what people do (1)")
    parser.add_argument("--seconds", type=positive, help="how long things break (60); with redis-down, each time (10)")
    parser.add_argument("--clients", type=whole, default=12, help="how many people act at once (12)")
    parser.add_argument("--bookings-per-second", type=positive, default=18.0, help="how many they try (18)")
    parser.add_argument("--mails", type=whole, default=500, help="how many wait to be drained (500)")
    parser.add_argument("--kills", type=whole, default=10, help="how often a worker is killed (10)")
    parser.add_argument("--report", type=Path, help="write what a run found to this file, as JSON")
    return parser.parse_args()


def positive(text: str) -> float:
    """Read a number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be a number above 0")
    return number


def whole(text: str) -> int:
    """Read a number that counts from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
