"""Count the events of analytics, and keep their months."""
