"""Read requests and write answers."""
