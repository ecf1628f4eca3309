"""Migrations of the hub: Alembic's environment and, in ``versions``, one module per revision.

Belongs here: steps from one version of the schema to the next. Does not belong here: the schema as it is now
(``hub.schema``), nor the code that applies the steps (``hub.migrate``).
"""
