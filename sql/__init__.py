"""All that knows PostgreSQL: the schema, the statements and the connections."""
