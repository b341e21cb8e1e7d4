"""Each file of a feature is connected to the next one; what is missing is named with the file to edit."""

import importlib
from pathlib import Path

import pytest

from tests.scheduling.answers import rows

ROOT = Path(__file__).resolve().parent.parent
AREAS = sorted(path.stem for path in (ROOT / "scheduling/routes").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("area", AREAS)
def test_routes_are_registered(app, area):
    module = importlib.import_module(f"scheduling.routes.{area}")
    assert module.blueprint.name in app.blueprints, (
        f"Import {area} from scheduling.routes in scheduling/app.py, and add it to the areas in create_app()"
    )


def test_every_foreign_key_has_an_index(database):
    bare = rows(
        database,
        """
        SELECT conrelid::regclass::text AS owner, conname AS name, attname AS "column"
        FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conparentid = 0
        AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1])
        """,
    )
    wanted = [f"CREATE INDEX {row['owner']}_{row['column']}_idx ON {row['owner']} ({row['column']});" for row in bare]
    assert not wanted, f"Write into the migration: {' '.join(wanted)}"
