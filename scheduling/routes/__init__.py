"""The routes, an area a module: decorators say who, what in and what out; the body says one thing."""
