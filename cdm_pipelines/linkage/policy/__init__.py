"""The linkage policy: what a company writes in YAML, its models, its files, tables of equivalent names."""
