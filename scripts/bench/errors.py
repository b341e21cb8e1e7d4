"""What can go wrong with a measurement."""


class BenchError(Exception):
    """Says in one line why nothing could be measured."""
