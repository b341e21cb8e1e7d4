"""Check tokens and passwords, and count attempts."""
