"""Decide, before a route runs, who may call it, how often, and what a repetition gets."""
