"""Make a platform administrator: promote the person with this address, or create one."""

import argparse
import getpass
import sys
from pathlib import Path

import psycopg2
from marshmallow import ValidationError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scheduling.identity.passwords import find_fault, make_passwords
from scheduling.schemas.auth import RegisterIn
from scheduling.settings import Settings, read_settings
from sql.database import Database
from sql.pool import Session
from sql.queries import users


def main() -> int:
    """Promote or create; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("email", help="the address of the administrator")
    parser.add_argument("--name", default="Administrator", help="the name, when the person is created")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    arguments = parser.parse_args()
    settings = read_settings()
    session = Session("create_admin", prepares=settings.delivery.prepares)
    database = Database(settings.delivery.database_url, size=1, session=session)
    try:
        email = RegisterIn(only=("email",)).load({"email": arguments.email})["email"]
        return make_admin(database, settings, email, arguments.name, dry_run=arguments.dry_run)
    except ValidationError as error:
        faults = error.messages_dict.items()
        return fail("; ".join(f"{field}: {' '.join(says)}" for field, says in faults))
    except psycopg2.OperationalError as error:
        return fail(f"PostgreSQL is not reachable: {str(error).strip().splitlines()[0]}")


def make_admin(database: Database, settings: Settings, email: str, name: str, *, dry_run: bool) -> int:
    """Promote who is there, or create who is not; return the exit code."""
    with database.reading() as tx:
        known = users.select_credentials(tx, email=email)
    if dry_run:
        print(f"would {'promote' if known else 'create'} {email}")
        return 0
    if known is None:
        return create(database, settings, email, name)
    with database.statement() as tx:
        users.promote_user(tx, email=email)
    print(f"{email} is an administrator now.")
    return 0


def create(database: Database, settings: Settings, email: str, name: str) -> int:
    """Create an administrator with a password that is asked for; return the exit code."""
    person = RegisterIn().load({"email": email, "name": name, "password": read_password()})
    fault = find_fault(settings, person["password"], name, email)
    if fault is not None:
        return fail(fault)
    hashed = make_passwords(settings.bcrypt_rounds, waiting=1).hash(person["password"])
    with database.statement() as tx:
        created = users.insert_admin(
            tx, name=name, email=email, password_hash=hashed.text, password_scheme=hashed.scheme
        )
    if created is None:
        return fail(f"{email} registered meanwhile; run this again to promote them")
    print(f"{email} is an administrator now.")
    return 0


def read_password() -> str:
    """Ask for the password, or read it from standard input when nobody sits there."""
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")


def fail(message: str) -> int:
    """Say what is wrong in one line; return the exit code."""
    print(f"create_admin: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
