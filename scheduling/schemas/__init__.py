"""The shape of what comes in and goes out: pure, never asking the database or the caller."""
