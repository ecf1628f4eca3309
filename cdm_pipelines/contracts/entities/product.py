"""Products: what orders and interactions name by its code.

Belongs here: their attributes. Does not belong here: who bought them.
"""

from functools import partial

from cdm_pipelines.contracts.entity import (
    Attribute,
    Entity,
    EntityDeclaration,
    OfNobody,
    SemanticType,
    ValueType,
    declare,
)

_T = ValueType
_product = partial(Attribute, Entity.PRODUCT, group="product", privacy="system.operations")

PRODUCT = declare(
    EntityDeclaration(
        entity=Entity.PRODUCT,
        plural="products",
        description="Articles that can be ordered.",
        whose=OfNobody(),
        attributes=(
            _product("product_code", _T.TEXT, "Article number.", key=True),
            _product("name", _T.TEXT, "Name of the article."),
            _product("category", _T.TEXT, "Category as a path, with > between its levels."),
            _product("brand", _T.TEXT, "Brand."),
            _product("price", _T.DECIMAL, "Price of one, taxes included."),
            _product("cost", _T.DECIMAL, "What one costs the company."),
            _product("currency", _T.TEXT, "Currency, ISO 4217.", semantic=SemanticType.CURRENCY),
        ),
    )
)
