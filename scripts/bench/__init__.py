"""Measure what a request costs: `python -m scripts.bench --help`."""
