"""Nothing is cut in silence: each limit of a statement, and each slice, is known and has its reason."""

import ast
import re

from tests.tree import ROOT, SQL_FILES, STATEMENTS, python_files, relative, tree_of

# What takes a limit and is not a page of a list, which has a Link to the next one.
LIMITED = {
    "analytics.adopt_foreign_events": "a batch; the rollup goes on until one is empty",
    "analytics.delete_counts": "a batch; the rollup comes again",
    "analytics.roll_up_events": "a batch; the rollup goes on until one is empty",
    "appointments.delete_old_holds": "a batch; a full one is followed by the next at once",
    "appointments.select_people": "one more than is allowed is asked for, and refused",
    "emails.claim_emails": "a batch; a job goes on until nothing is due",
    "emails.delete_sent_emails": "a batch; a full one is followed by the next at once",
    "emails.postpone_followers": "a batch; those behind it are looked at when they are in front",
    "emails.select_outbox": "the command says that there are more",
    "idempotency.delete_old_answers": "a batch; a full one is followed by the next at once",
    "idempotency.delete_old_guest_answers": "a batch; a full one is followed by the next at once",
    "emails.delete_superseded_emails": "a batch; a full one is followed by the next at once",
    "appointments.delete_free_allowances": "a batch; a full one is followed by the next at once",
    "tokens.delete_expired_tokens": "a batch; a full one is followed by the next at once",
}
# What a worker takes of each class of mails; the next job takes what is left.
COUNTED = {("emails.sql", "least(line.most,")}
_HASH, _EXCERPT = "the first characters of a hash", "an error of a tool quotes the first of an answer"
SLICES = {
    "jobs/providers/mime.py": {"sha256('\\x00'.join(parts).encode()).hexdigest()[:32]": _HASH},
    "scheduling/appointments/guest_mails.py": {"hashlib.sha256('\\x00'.join(words).encode()).digest()[:8]": _HASH},
    "scheduling/availability/slots.py": {
        "sorted(slots, key=lambda slot: (abs(slot.start - start), slot.start))[:count]": "the nearest, as documented",
    },
    "scheduling/http/blueprint.py": {"faults[:_SHOWN]": "how many more there are is said, and all are in `errors`"},
    "scheduling/http/paging.py": {"rows[:limit]": "a Link leads to the next page"},
    "scheduling/identity/passwords.py": {
        "text[:_BCRYPT_BYTES]": "wrong in any case, as it is longer than the password it is compared with",
        "password[:_ESTIMATED_CHARACTERS]": "what follows cannot make it easier to guess",
    },
    "scheduling/schemas/fields.py": {"(match['fraction'] or '')[:6]": "digits past the microsecond, by the contract"},
    "scheduling/server/response_deadline.py": {"part[start:start + _PIECE_BYTES]": "piece by piece, to the end"},
    "scheduling/identity/tokens.py": {"hashlib.sha256(b'key id of ' + secret.encode()).hexdigest()[:8]": _HASH},
    "scripts/project/clean_start.py": {"command[:3]": "the beginning of a command names the process"},
    "scripts/dev.py": {"platform.python_version_tuple()[:2]": "a version without its patch"},
    "scripts/outbox.py": {"rows[:limit]": "the command says that there are more"},
    "sql/prepared.py": {"hashlib.sha256(text.encode()).hexdigest()[:24]": _HASH},
}


def slices_of(path):
    """Return each slice that ends before what it is taken of may end."""
    return {
        ast.unparse(node)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.upper is not None
    }


def paged_statements():
    """Return `area.name` of each statement that a route answers by pages."""
    texts = "".join(path.read_text() for path in python_files("scheduling/routes"))
    return {
        *re.findall(r"partial\(\s*(\w+\.\w+),", texts),
        # One route chooses between two.
        *re.findall(r"(?:= |else )(organizations\.select_\w+_organizations)\b", texts),
    }


def test_limits_of_statements_are_parameters_or_one_or_counted():
    limits = {
        (path.name, limit)
        for path in SQL_FILES
        for limit in re.findall(r"\bLIMIT\s+(\S+)", re.sub(r"--[^\n]*", "", path.read_text()))
    }
    assert len(limits) > 10
    plain = re.compile(r"1[;),]*|:limit(::bigint)?[;)]*|\((SELECT)?")
    assert {(name, limit) for name, limit in limits if not plain.fullmatch(limit)} == COUNTED


def test_every_statement_with_a_limit_is_paged_or_known():
    limited = {f"{area}.{name}" for area, name, text in STATEMENTS if "%(limit)s" in text}
    assert limited - paged_statements() == LIMITED.keys()


def test_every_slice_is_known():
    files = [
        *python_files("scheduling", "jobs", "sql"),
        *(ROOT / "scripts").glob("*.py"),
        *python_files("scripts/project", "scripts/stack"),
    ]
    found = {relative(path): slices_of(path) for path in files}
    known = {name: set(slices) for name, slices in SLICES.items()}
    assert {name: slices for name, slices in found.items() if slices} == known


def test_nothing_else_shortens_what_people_read():
    texts = {path: path.read_text() for path in (ROOT / "jobs/mails/templates").rglob("*") if path.is_file()}
    texts |= {path: path.read_text() for path in python_files("scheduling", "jobs")}
    cutting = re.compile(r"\|\s*truncate\b|textwrap\.shorten|\bislice\(|\.fetchmany\(|\bnlargest\(|\bmost_common\(\d")
    assert {relative(path) for path, text in texts.items() if cutting.search(text)} == set()
    assert not [path for path in SQL_FILES if re.search(r"\b(left|substring|substr)\s*\(", path.read_text())]
