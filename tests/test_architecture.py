"""Promises that span files, held by walking the files."""

import ast
import importlib
import re
from itertools import pairwise

import psycopg2
import pytest

from jobs.connection import QUEUE
from jobs.mails.rendering import KINDS, TEMPLATES
from scheduling.policies.access import access_of
from scripts.stack.procfile import read_procfile
from sql import queries
from sql.database import Transaction
from tests.tree import (
    FILES,
    NAMED,
    PACKAGES,
    ROOT,
    SOURCES,
    SQL_FILES,
    STATEMENTS,
    python_files,
    relative,
    tree_of,
)

LONGEST_FILE = 300
LONGEST_STATEMENT = 60


def is_setter(node):
    """Tell the second half of a property, whose first half says what it is."""
    return any(getattr(decorator, "attr", "") == "setter" for decorator in getattr(node, "decorator_list", []))


# Files


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_and_every_public_function_has_a_sentence_for_a_docstring(path):
    tree = tree_of(path)
    documented = [tree] + [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    nested = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
        if inner is not node
    }
    for node in documented:
        if node in nested or is_setter(node):
            continue
        docstring = ast.get_docstring(node) or ""
        name = getattr(node, "name", "the module")
        assert docstring, f"{relative(path)}: write a docstring for {name}, one imperative sentence with a full stop"
        assert docstring.splitlines()[0].rstrip("`").endswith((".", "?")), f"{relative(path)}: {name}: {docstring}"


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=relative)
def test_package_file_holds_a_docstring_at_most(path):
    assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in tree_of(path).body)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_sit_at_the_top(path):
    tree = tree_of(path)
    inside = [
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


def test_no_file_is_longer_than_300_lines():
    lengths = {relative(path): len(path.read_text().splitlines()) for path in FILES}
    assert len(lengths) > 60
    too_long = {name: length for name, length in lengths.items() if length > LONGEST_FILE}
    assert too_long == {}, "split each of these files by idea"


# Routes, settings, processes


def test_every_route_declares_who_may_call_it(app):
    undeclared = {
        rule.rule for rule in app.url_map.iter_rules() if access_of(app.view_functions[rule.endpoint]) is None
    }
    assert undeclared == set()
    assert len(list(app.url_map.iter_rules())) > 30


def test_worker_of_the_procfile_serves_the_queue_of_the_code():
    processes = read_procfile()
    assert processes.keys() == {"release", "web", "worker"}
    assert processes["worker"].split()[:2] == ["rq", "worker"]
    assert processes["worker"].split()[-1] == QUEUE
    assert "--serializer json" in processes["worker"]
    for module, name in re.findall(r"(jobs\.\w+)\.([A-Z]\w+)", processes["worker"]):
        assert hasattr(importlib.import_module(module), name)
    release, script = processes["release"].split()
    assert (release, (ROOT / script).is_file()) == ("python", True)


READERS = {"str", "int", "float", "bool", "list", "_text", "_rate", "get"}


def settings_read():
    """Return the names that are read from the environment."""
    for path in ("jobs/settings.py", "scheduling/settings.py", "gunicorn.conf.py"):
        for node in ast.walk(tree_of(ROOT / path)):
            if isinstance(node, ast.Call):
                reader = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
                yield from (
                    argument.value
                    for argument in node.args[:2]
                    if reader in READERS
                    and isinstance(argument, ast.Constant)
                    and re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", str(argument.value))
                )


def test_example_lists_every_setting_and_no_other():
    listed = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    # NODE_ENV is what the original's deployments set; APP_ENV is ours.
    read = set(settings_read()) - {"NODE_ENV"}
    assert not read - set(listed), f"Write {sorted(read - set(listed))} into .env.example and the table of README.md"
    assert not set(listed) - read, f"Take {sorted(set(listed) - read)} out of .env.example and README.md"


# Statements


@pytest.fixture
def preparing(database):
    """Offer a cursor whose prepared statements vanish with the test."""
    with database.cursor() as cursor:
        yield cursor
        cursor.execute("DEALLOCATE ALL")


def numbered(text):
    """Return a statement with $1, $2, … for its parameters, and how many there are."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    return re.sub(r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", text).replace("%%", "%"), len(names)


def single_statements(text):
    """Split at semicolons: no text of ours holds one inside a literal."""
    without_comments = re.sub(r"--[^\n]*", "", text)
    assert not [literal for literal in re.findall(r"'[^']*'", without_comments) if ";" in literal]
    return [part for part in without_comments.split(";") if part.strip()]


@pytest.mark.parametrize(("area", "name", "text"), STATEMENTS, ids=NAMED)
def test_every_statement_fits_the_schema(preparing, area, name, text):
    parts = single_statements(text)
    assert parts
    for number, part in enumerate(parts):
        prepared, count = numbered(part)
        types = f"({', '.join(['unknown'] * count)})" if count else ""
        try:
            preparing.execute(f"PREPARE {name}_{number} {types} AS {prepared}")
        except psycopg2.Error as error:
            pytest.fail(f"Correct {name} in sql/queries/{area}.sql, or write the migration that it needs: {error}")


def test_statement_that_does_not_fit_is_found(preparing):
    with pytest.raises(psycopg2.errors.UndefinedColumn):
        preparing.execute("PREPARE wrong AS SELECT colour FROM users")


@pytest.mark.parametrize(("area", "name", "text"), STATEMENTS, ids=NAMED)
def test_every_statement_lists_its_columns(area, name, text):
    where = f"{name} in sql/queries/{area}.sql"
    assert not re.search(r"(SELECT|RETURNING|,)\s+\*", text, re.IGNORECASE), f"List the columns instead of * of {where}"
    assert not re.search(r"\bOFFSET\b", text, re.IGNORECASE), f"Page by key instead of OFFSET in {where}"


def test_every_statement_is_named_verb_noun():
    vague = {"get", "create", "fetch", "list", "do", "process"}
    for area, name, _ in STATEMENTS:
        verb, _, noun = name.partition("_")
        is_named = bool(noun) and verb not in vague
        assert is_named, f"Rename {name} in sql/queries/{area}.sql: select_…, insert_…, update_…, delete_…"


def test_every_statement_is_explained():
    for path in SQL_FILES:
        lines = path.read_text().splitlines()
        for line, following in pairwise(lines):
            if line.startswith("-- name:"):
                assert re.match(r"-- \S", following), f"Write a line that explains it below {path.name}: {line}"


def test_no_statement_is_longer_than_60_lines():
    for path in SQL_FILES:
        for text in path.read_text().split("-- name: ")[1:]:
            name, lines = text.partition("(")[0], len(text.rstrip().splitlines()) - 1
            assert lines <= LONGEST_STATEMENT, (
                f"{path.name}: {name} has {lines} lines: give a part of it a name, as a function in a migration"
            )


def statements_used():
    """Return `area.name` for each statement that code refers to."""
    for path in python_files(*PACKAGES):
        tree = tree_of(path)
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "sql.queries"
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported:
                yield f"{node.value.id}.{node.attr}"


def test_statements_that_are_used_are_those_in_the_files():
    used = set(statements_used())
    assert not set(NAMED) - used, f"Call {sorted(set(NAMED) - used)} or delete them in sql/queries"
    assert not used - set(NAMED), f"Write {sorted(used - set(NAMED))} into sql/queries/<area>.sql"


class Untouched(Transaction):
    """A transaction that must not be reached."""

    def execute(self, statement, parameters):
        """Fail."""
        raise AssertionError("the statement was sent")


@pytest.mark.parametrize(("area", "name", "text"), STATEMENTS, ids=NAMED)
def test_missing_and_superfluous_parameters_are_refused(area, name, text):
    statement = getattr(getattr(queries, area), name)
    names = dict.fromkeys(re.findall(r"%\((\w+)\)s", text))
    tx = Untouched(connection=None, explicit=False)
    wrong = [{**names, "colour": "red"}] + [{key: None for key in names if key != missing} for missing in names]
    for parameters in wrong:
        with pytest.raises((TypeError, ValueError)):
            consume(statement(tx, **parameters))


def consume(result):
    """Run a statement that is a generator."""
    return result if result is None or isinstance(result, list | dict | int) else list(result)


# E-mails and constraints


def check_of(database, name):
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = %s", (name,))
        return set(re.findall(r"'(\w+)'", cursor.fetchone()["text"]))


def test_every_kind_of_mail_has_its_templates_and_its_place_in_the_schema(database):
    assert check_of(database, "emails_kind_check") == KINDS
    for kind in KINDS:
        assert {path.name for path in (TEMPLATES / kind.lower()).iterdir()} == {"subject.txt", "text.txt", "html.html"}


def test_every_kind_of_mail_is_promised_by_a_statement():
    inserted = "".join(text for _, _, text in STATEMENTS)
    promised = re.findall(r"INSERT INTO emails[^']*'([A-Z_]+)'", inserted)
    # One statement is told by the API which kind it promises.
    told = re.findall(r'"(APPOINTMENT_\w+)"', "".join(path.read_text() for path in python_files("scheduling")))
    assert {*promised, *told} == KINDS


def test_constraints_and_indexes_are_named_after_table_and_columns(database):
    with database.cursor() as cursor:
        cursor.execute(
            """
            SELECT relname AS owner, conname AS name FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
            WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND NOT relispartition
            UNION
            SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'public'
            """
        )
        names = [(row["owner"], row["name"]) for row in cursor.fetchall()]
    assert len(names) > 30
    for owner, name in names:
        assert re.fullmatch(rf"{owner}_(\w+_)?(pkey|key|check|idx|excl|fkey)", name), (
            f"Name {name} in its migration: CONSTRAINT {owner}_<columns>_pkey|key|check|idx|excl|fkey"
        )
