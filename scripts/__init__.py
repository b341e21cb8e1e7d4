"""Commands for the people who develop and operate the API."""
