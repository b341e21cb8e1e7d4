"""Answer requests, one module for each area: decorators declare access and schemas, the body does one thing."""
