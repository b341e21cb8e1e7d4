"""The kinds of mail: each has a folder of templates."""

from pathlib import Path

TEMPLATES = Path(__file__).parent / "mails" / "templates"
KINDS = frozenset(subject.parent.name.upper() for subject in TEMPLATES.glob("*/subject.txt"))
