"""Validate input and document answers; schemas never query and never know the caller."""
