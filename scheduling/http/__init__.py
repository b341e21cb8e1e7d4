"""Turn bytes into a request and rows into an answer."""
