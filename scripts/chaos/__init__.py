"""Break everything while people book, and check that nothing is lost: `python -m scripts.chaos --help`."""
