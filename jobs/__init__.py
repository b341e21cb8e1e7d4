"""Everything that runs in the worker, and the outbox by which the API reaches it."""
