"""Generate the OpenAPI document from what routes and schemas declare."""
