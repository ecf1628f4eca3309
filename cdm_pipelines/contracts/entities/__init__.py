"""The canonical entities: one declaration each, in modules by subject.

Belongs here: the order in which the modules declare. Does not belong here: what a declaration is (``entity``).
"""

from cdm_pipelines.contracts.entities import party  # isort: skip - first: all others may name it
from cdm_pipelines.contracts.entities import order  # isort: skip
from cdm_pipelines.contracts.entities import consent, interaction, invoice, product

__all__ = ["consent", "interaction", "invoice", "order", "party", "product"]
