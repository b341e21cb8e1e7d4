"""Look into the outbox: list and show e-mails, replay or drop those that failed for good."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from jobs.kinds import KINDS
from jobs.providers.provider import Failure
from jobs.settings import read_database_url
from sql.database import Database, Transaction
from sql.pool import Session
from sql.queries import Row, emails

_STATUSES = ["pending", "sent", "dead", "superseded"]
_FAILURES = [failure.value for failure in Failure]


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command choose e-mails by kind, failure and age."""
    for option in (
        click.option("--kind", type=click.Choice(sorted(KINDS), case_sensitive=False), help="Only this kind."),
        click.option(
            "--failure",
            type=click.Choice(_FAILURES),
            help="Only those that failed like this.",
        ),
        click.option("--since", type=click.DateTime(), help="Only those created since then (UTC)."),
        click.option("--id", "email_id", type=click.IntRange(1), help="Only this one."),
    ):
        command = option(command)
    return command


@click.group(help=__doc__)
def main() -> None:
    """Look into the outbox."""


@main.command("list")
@click.option("--status", type=click.Choice(_STATUSES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@filters
def list_emails(limit: int, **chosen: Any) -> None:
    """List e-mails, newest first, and count what waits and what is dead."""
    with reading() as tx:
        rows = select(tx, limit=limit + 1, **chosen)
        state = emails.select_outbox_state(tx)
    for row in rows[:limit]:
        reason = f"  {row['last_failure']}: {row['last_error']}" if row["last_error"] else ""
        click.echo(
            f"{row['id']:>8}  {row['status']:<7}  {row['kind']:<20}  {row['created_at']:%Y-%m-%d %H:%M:%S}"
            f"  {row['attempts']:>3} attempts  {row['recipient']}{reason}"
        )
    if len(rows) > limit:
        click.echo(f"Only the newest {limit} are listed; --limit lists more.")
    age = round(state["oldest_pending_seconds"])
    click.echo(f"{state['pending']} pending (oldest {age} s), {state['dead']} dead, {state['superseded']} superseded.")


@main.command("show")
@click.argument("email_id", type=click.IntRange(1))
def show_email(email_id: int) -> None:
    """Show all that is known of one e-mail, but for its body."""
    with reading() as tx:
        rows = select(tx, limit=1, email_id=email_id)
    if not rows:
        raise click.ClickException(f"there is no e-mail {email_id}")
    for name, value in rows[0].items():
        click.echo(f"{name:<20} {'-' if value is None else value}")


@main.command("replay")
@click.option("--dry-run", is_flag=True, help="Say how many, change nothing.")
@filters
def replay(dry_run: bool, **chosen: Any) -> None:
    """Offer dead e-mails again, under the same keys; workers find them within seconds."""
    change(emails.replay_email, "replay", dry_run=dry_run, **chosen)


@main.command("drop")
@click.option("--dry-run", is_flag=True, help="Say how many, change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@filters
def drop(dry_run: bool, yes: bool, **chosen: Any) -> None:
    """Delete dead e-mails; they will never be sent."""
    if not dry_run and not yes:
        click.confirm("Delete these e-mails for good?", abort=True)
    change(emails.drop_email, "drop", dry_run=dry_run, **chosen)


def change(statement: Callable[..., Any], verb: str, *, dry_run: bool, **chosen: Any) -> None:
    """Apply a statement to every dead e-mail that was chosen, one transaction each."""
    with reading() as tx:
        rows = select(tx, limit=None, status="dead", **chosen)
    if dry_run:
        click.echo(f"would {verb} {len(rows)} e-mails")
        return
    changed = 0
    with click.progressbar(rows, label=verb, file=sys.stderr) as bar:
        for row in bar:
            with opened().statement() as tx:
                changed += statement(tx, email_id=row["id"]) is not None
    click.echo(f"{verb}: {changed} of {len(rows)} e-mails")


def select(tx: Transaction, *, limit: int | None, **chosen: Any) -> list[Row]:
    """Return the e-mails that were chosen, newest first; without a limit all of them."""
    wanted = dict.fromkeys(("status", "kind", "failure", "since", "email_id")) | chosen
    if isinstance(wanted["since"], datetime):
        wanted["since"] = wanted["since"].replace(tzinfo=UTC)
    rows: list[Row] = emails.select_outbox(tx, limit=limit, **wanted)
    return rows


@contextmanager
def reading() -> Iterator[Transaction]:
    """Ask the database; one clear line when it is away."""
    try:
        with opened().reading() as tx:
            yield tx
    except psycopg2.OperationalError as error:
        raise click.ClickException(f"PostgreSQL is not reachable: {str(error).strip().splitlines()[0]}") from None


def opened() -> Database:
    """Return the database at DATABASE_URL."""
    context = click.get_current_context().find_root()
    if context.obj is None:
        context.obj = Database(read_database_url(), size=1, session=Session("outbox", answer_within=30, prepares=False))
    database: Database = context.obj
    return database


if __name__ == "__main__":
    main()
