"""The application as gunicorn loads it: `gunicorn wsgi:app`."""

from scheduling.app import create_app

app = create_app()
