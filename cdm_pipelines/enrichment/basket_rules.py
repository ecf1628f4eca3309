"""What is bought together and what is bought again, learnt from everybody.

Belongs here: association rules with their test, repurchase of products. Does not belong here: what follows for a
customer (``basket``).

A basket is an order; its products are those of its lines with a quantity above zero, each once, known by their code, or
by their name where there is no code. That two products lie in one basket more often than by chance is tested with
Fisher's exact test (one-sided), and of all pairs of the products looked at, seen together or not, as many are kept as
leave the expected share of false ones within a limit (Benjamini and Hochberg, 1995).
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from cdm_pipelines.enrichment.rhythm import fit_rhythm
from cdm_pipelines.enrichment.work import Parameters, Work

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class BasketParameters(Parameters):
    """What may be set of ``basket``.

    Attributes:
        window_days: Orders of so many days before the fit teach what is bought together; a customer's purchases of so
            many days say what is next.
        largest_basket: Orders with more products are left out: pairs grow with the square, and such an order is no
            choice of what goes together. They are counted.
        most_products: So many products are looked at, those in most baskets, or with most buyers.
        together_from: Baskets that a pair must be in.
        lift_from: Times by which a pair must be in more baskets than by chance.
        false_rules: Expected share of false pairs among those kept.
        rules_per_product: Rules kept per product on their left, those of highest confidence.
        most_rules: Rules kept in all, those with most baskets beyond chance.
        again_from: Buyers of a product from which its repurchase is known.
        again_share: Share of them who bought it on another day as well, from which it is one that is bought again.
        again_until: Typical gaps of a product after which a customer is no longer expected to buy it again.
        default_gap_days: The typical gap between purchases where too few customers bought twice to tell.
    """

    window_days: int = Field(default=365, ge=1)
    largest_basket: int = Field(default=100, ge=2)
    most_products: int = Field(default=1000, ge=2, le=5000)
    together_from: int = Field(default=5, ge=2)
    lift_from: float = Field(default=1.1, ge=1)
    false_rules: float = Field(default=0.05, gt=0, lt=1)
    rules_per_product: int = Field(default=3, ge=1)
    most_rules: int = Field(default=2000, ge=1)
    again_from: int = Field(default=30, ge=1)
    again_share: float = Field(default=0.2, gt=0, le=1)
    again_until: float = Field(default=3.0, ge=1)
    default_gap_days: float = Field(default=90.0, ge=1)


def bought(work: Work) -> None:
    """Make, once, ``basket_sold``: lines with a ``product``; ``basket_bought``: days of a customer with a product."""
    work.use("order_lines")
    work.db.execute(
        """
        CREATE TEMP VIEW IF NOT EXISTS basket_sold AS
        SELECT golden_id, source, order_id, ordered_on, product_name,
               coalesce(nullif(trim(product_code), ''), nullif(trim(product_name), '')) AS product
        FROM order_lines WHERE coalesce(quantity, 1) > 0
        """
    )
    work.db.execute(
        """
        CREATE TEMP TABLE IF NOT EXISTS basket_bought AS
        SELECT golden_id, product, count(*) AS days, min(ordered_on) AS first_on, max(ordered_on) AS last_on
        FROM (SELECT DISTINCT golden_id, product, ordered_on FROM basket_sold WHERE product IS NOT NULL) GROUP BY 1, 2
        """
    )


def learn(work: Work, set_to: BasketParameters) -> dict[str, Any]:
    """Rules, products that are bought again, names of both, and the rhythm of everybody."""
    bought(work)
    products, baskets, left_out = _baskets(work, set_to)
    rules = _rules(products, baskets, set_to)
    again = _again(work, set_to)
    named = {rule[side] for rule in rules["rules"] for side in ("if", "then")} | again.keys()
    return {
        "as_of": work.as_of.isoformat(),
        "window_days": set_to.window_days,
        **rules,
        "again": again,
        "names": _names(work, sorted(named)),
        "rhythm": fit_rhythm(work, set_to.default_gap_days),
        "left_out": left_out,
    }


def _baskets(work: Work, set_to: BasketParameters) -> tuple[list[str], Any, dict[str, int]]:
    """Products looked at, baskets x products as a sparse matrix of ones, and what was left out."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - loads only in a run

    work.db.execute(
        """
        CREATE OR REPLACE TEMP TABLE basket_products AS
        SELECT product, CAST(row_number() OVER (ORDER BY product) - 1 AS INTEGER) AS place
        FROM (SELECT DISTINCT product FROM basket_bought)
        """
    )
    names = work.sql("SELECT product FROM basket_products ORDER BY place")["product"].to_pylist()
    found = work.sql(
        """
        SELECT list(DISTINCT p.place) AS products FROM basket_sold s JOIN basket_products p USING (product)
        WHERE s.ordered_on > getvariable('as_of')::DATE - $days::INTEGER GROUP BY s.source, s.order_id
        """,
        days=set_to.window_days,
    )["products"]
    lists = cast("pa.ListArray", found.combine_chunks())
    nameless = work.sql("SELECT count(*) AS n FROM basket_sold WHERE product IS NULL").to_pylist()[0]["n"]
    offsets = lists.offsets.to_numpy().astype(np.int64)
    flat: Ints = lists.values.to_numpy().astype(np.int64)[offsets[0] : offsets[-1]]
    sizes = np.diff(offsets)
    small = sizes <= set_to.largest_basket
    basket = np.repeat(np.cumsum(small) - 1, sizes)[np.repeat(small, sizes)]
    flat = flat[np.repeat(small, sizes)]
    counts = np.bincount(flat, minlength=len(names))
    chosen = np.sort(np.lexsort((np.arange(len(names)), -counts))[: set_to.most_products])
    chosen = chosen[counts[chosen] >= set_to.together_from]
    column = np.full(len(names), -1)
    column[chosen] = np.arange(len(chosen))
    kept = column[flat] >= 0
    matrix = csr_matrix(
        (np.ones(int(kept.sum()), dtype=np.int32), (basket[kept], column[flat[kept]])),
        shape=(int(small.sum()), len(chosen)),
    )
    left_out = {
        "orders with too many products": int((~small).sum()),
        "products not looked at": len(names) - len(chosen),
        "lines without a product": nameless,
    }
    return [names[at] for at in chosen.tolist()], matrix, {why: n for why, n in left_out.items() if n}


def _rules(products: list[str], baskets: Any, set_to: BasketParameters) -> dict[str, Any]:
    from scipy.sparse import triu  # noqa: PLC0415 - loads only in a run
    from scipy.stats import hypergeom  # noqa: PLC0415

    total, width = baskets.shape
    counts = np.asarray(baskets.sum(axis=0)).ravel().astype(np.int64)
    pairs = triu(baskets.T @ baskets, k=1).tocoo()
    order = np.lexsort((pairs.col, pairs.row))
    left, right = pairs.row[order].astype(np.int64), pairs.col[order].astype(np.int64)
    together = pairs.data[order].astype(np.int64)
    expected = counts[left] * counts[right] / max(total, 1)
    enough = (together >= set_to.together_from) & (together >= set_to.lift_from * expected)
    left, right, together, expected = (one[enough] for one in (left, right, together, expected))
    tested = width * (width - 1) // 2
    p = hypergeom.sf(together - 1, total, counts[left], counts[right])
    q = adjusted(p, tested)
    true = q <= set_to.false_rules
    rules = []
    for one, other in ((left, right), (right, left)):
        for i, j, n, chance, value in zip(
            *(x[true].tolist() for x in (one, other, together, expected, q)), strict=True
        ):
            rules.append(
                {
                    "if": products[i],
                    "then": products[j],
                    "baskets": n,
                    "support": round(n / total, 6),
                    "confidence": round(n / int(counts[i]), 4),
                    "lift": round(n / chance, 3),
                    "beyond_chance": round(n - chance, 3),
                    "q": float(f"{value:.3g}"),
                }
            )
    return {
        "baskets": total,
        "products": width,
        "pairs_tested": tested,
        "pairs_kept": int(true.sum()),
        "rules": _best(rules, set_to),
    }


def adjusted(p: Floats, tested: int) -> Floats:
    """Benjamini-Hochberg adjusted p-values of the smallest among ``tested`` ones; the others count as 1."""
    order = np.argsort(p, kind="stable")
    steps = p[order] * tested / np.arange(1, len(p) + 1)
    lowest = np.minimum.accumulate(steps[::-1])[::-1] if len(p) else steps
    found = np.empty_like(p)
    found[order] = np.minimum(lowest, 1.0)
    return found


def _best(rules: list[dict[str, Any]], set_to: BasketParameters) -> list[dict[str, Any]]:
    rules.sort(key=lambda rule: (-rule["confidence"], -rule["lift"], rule["if"], rule["then"]))
    per_product: dict[str, int] = {}
    kept = []
    for rule in rules:
        per_product[rule["if"]] = per_product.get(rule["if"], 0) + 1
        if per_product[rule["if"]] <= set_to.rules_per_product:
            kept.append(rule)
    kept.sort(key=lambda rule: (-rule["beyond_chance"], rule["if"], rule["then"]))
    return kept[: set_to.most_rules]


def _again(work: Work, set_to: BasketParameters) -> dict[str, dict[str, float]]:
    """Products that are bought again: the share of buyers who did, and the median of their mean gaps in days."""
    rows = work.sql(
        """
        SELECT product, round(count(*) FILTER (days > 1) / count(*), 4) AS share,
               round(quantile_cont(CAST(last_on - first_on AS DOUBLE) / (days - 1), 0.5) FILTER (days > 1), 1) AS gap
        FROM basket_bought GROUP BY 1 HAVING count(*) >= $least AND count(*) FILTER (days > 1) >= $share * count(*)
        ORDER BY count(*) DESC, 1 LIMIT $most
        """,
        least=set_to.again_from,
        share=set_to.again_share,
        most=set_to.most_products,
    ).to_pylist()
    return {row["product"]: {"share": row["share"], "gap": row["gap"]} for row in rows}


def _names(work: Work, products: list[str]) -> dict[str, str]:
    work.db.register("basket_named", pa.table({"product": pa.array(products, pa.string())}))
    try:
        rows = work.sql(
            """
            WITH known AS (
                SELECT n.product, k.name FROM basket_named n
                LEFT JOIN (SELECT product_code, max(name) AS name FROM products GROUP BY 1) k
                     ON k.product_code = n.product),
            sold AS (
                SELECT product, max(product_name) AS name FROM basket_sold
                SEMI JOIN (SELECT product FROM known WHERE name IS NULL) USING (product) GROUP BY 1)
            SELECT product, coalesce(k.name, s.name, product) AS name FROM known k LEFT JOIN sold s USING (product)
            ORDER BY 1
            """
        ).to_pylist()
    finally:
        work.db.unregister("basket_named")
    return {row["product"]: row["name"] for row in rows}
