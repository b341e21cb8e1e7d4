"""Each room imports what it is allowed to; how the rooms are stacked is a contract in setup.cfg."""

import sys

import grimp
import pytest

OURS = ("scheduling", "jobs", "sql")
# Beside the standard library and the rooms below: packages by their name, modules of ours by theirs.
ALLOWED = {
    "scheduling.availability": set(),
    "scheduling.schemas": {"email_validator", "jobs.kinds", "marshmallow", "orjson"},
    "scheduling.server": {"gunicorn", "jobs.logs", "orjson", "sql.deadlines"},
    "scheduling.settings": {"dotenv", "environs", "jobs.settings", "limits", "marshmallow"},
    "sql": {"aiosql", "orjson", "psycopg2"},
}


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(*OURS, include_external_packages=True)


def imports_of(graph, room):
    """Yield importer and imported of each import that leaves the package of a room."""
    for importer in sorted(graph.find_descendants(room) | {room}):
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            if imported.split(".")[0] not in {room.split(".")[0], *sys.stdlib_module_names}:
                yield importer, imported


@pytest.mark.parametrize("room", ALLOWED)
def test_room_imports_nothing_but_what_it_is_allowed_to(graph, room):
    for importer, imported in imports_of(graph, room):
        assert imported in ALLOWED[room], (
            f"{importer} imports {imported}. Do without it, or write it into ALLOWED[{room!r}] of tests/test_imports.py"
        )


@pytest.mark.parametrize("room", ALLOWED)
def test_every_import_that_is_allowed_is_in_use(graph, room):
    unused = ALLOWED[room] - {imported for _, imported in imports_of(graph, room)}
    assert not unused, f"Take {sorted(unused)} out of ALLOWED[{room!r}] of tests/test_imports.py"
