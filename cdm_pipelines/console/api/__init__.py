"""The API, version 1: OpenAPI 3.1, problems as RFC 9457, pages by cursor, ETags, idempotency keys.

Belongs here: paths, parameters and models of answers. Does not belong here: reading as a role (console.reads), pages.
"""
