"""The PostgreSQL ground floor: server, schema, migrations, bulk loading and queries."""
