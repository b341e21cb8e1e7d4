"""All that runs in the worker, and the one door into it."""
