"""Check and maintain the project itself: its commits, its locked packages, a clean start."""
