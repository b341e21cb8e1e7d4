"""The statements by which a chaos run reads the database fit the schema as it is."""

import pytest

from scripts.chaos import evidence

# The table of the audit is made by the run itself.
STATEMENTS = {
    name: text
    for name, text in vars(evidence).items()
    if isinstance(text, str) and "FROM " in text and "chaos_audit" not in text and not name.startswith("__")
}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_statement_fits_the_schema(database, name):
    with database.cursor() as cursor:
        cursor.execute(STATEMENTS[name])


def test_every_statement_is_looked_at():
    assert len(STATEMENTS) > 8
