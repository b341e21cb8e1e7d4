"""Make gunicorn strict about time and about what is HTTP; nothing here imports Flask."""
