"""Check and maintain the project itself: its commits, locked packages, a clean start, the picture of its rooms."""
