"""What can go wrong with a stack."""


class StackError(Exception):
    """Says in one line why something did not start, answer or end."""
