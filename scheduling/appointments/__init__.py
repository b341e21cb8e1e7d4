"""Take the time of hosts for a guest."""
