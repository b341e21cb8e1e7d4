"""Describe the API in one OpenAPI document, from what routes and schemas declare."""
