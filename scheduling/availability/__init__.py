"""Compute when hosts can be booked, and why not; pure functions that read no database and no clock."""
