"""A new day of a source that delivers what is new or changed, made from its first day.

Belongs here: which records change, and how. Does not belong here: what is measured on that day (incremental).

One in ten rows is a new record. Of the others a quarter each has another surname, another customer's address, another
e-mail address, another phone.
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.extracts import DAY, Extracts
from cdm_demo.headers import SHOP_CUSTOMER

NEXT_DAY = (dt.date.fromisoformat(DAY) + dt.timedelta(days=1)).isoformat()
SOURCE, ENTITY = SHOP_CUSTOMER.source, SHOP_CUSTOMER.entity
LEAST = 10
"""Rows of a day, however small the share."""
_NEW = 10  # one row in so many is a new record
_SEED = 3
_KEY, _EMAIL, _PHONE = SHOP_CUSTOMER.key[0], "Email", "Phone"
_NAME = ["Last Name"]
_ADDRESS = [
    name
    for name in SHOP_CUSTOMER.columns
    if name.startswith("Default Address ") and not name.endswith(("Company", "Phone"))
]


def deliver(made: Extracts, share: float, landing: Path) -> int:
    """Write the next day of the shop's customers below a landing folder; returns its rows.

    Args:
        made: The first day.
        share: Rows to write, as a share of all records of parties.
        landing: Where it is written.
    """
    first = pd.read_csv(
        made.landing / SHOP_CUSTOMER.path(DAY),
        dtype=str,
        keep_default_na=False,
        encoding=SHOP_CUSTOMER.encoding,
    )
    day = changed(first.drop_duplicates(_KEY, keep="last"), max(LEAST, round(share * made.records)))
    path = landing / SHOP_CUSTOMER.path(NEXT_DAY)
    path.parent.mkdir(parents=True, exist_ok=True)
    day.to_csv(path, index=False, encoding=SHOP_CUSTOMER.encoding, lineterminator=SHOP_CUSTOMER.line_end)
    return len(day)


def changed(first: pd.DataFrame, count: int) -> pd.DataFrame:
    """So many rows of a day with new values, drawn in the same way each time; the new records come last."""
    rng = np.random.default_rng(_SEED)
    count = min(count, len(first))
    day = first.iloc[rng.permutation(len(first))[:count]].reset_index(drop=True)
    other = first.iloc[rng.permutation(len(first))[:count]].reset_index(drop=True)
    number = pd.Series(np.arange(count))
    new = number >= count - count // _NEW
    kind = number % 4
    named, moved, written, called = (new | (kind == one) for one in range(4))
    day.loc[named, _NAME] = other.loc[named, _NAME]
    elsewhere = other.iloc[::-1].reset_index(drop=True)
    day.loc[moved, _ADDRESS] = elsewhere.loc[moved, _ADDRESS]
    day.loc[written, _EMAIL] = "klant" + number[written].astype(str) + "@ziggo.nl"
    digits = pd.Series(rng.integers(10**7, 10**8, count).astype(str))
    day.loc[called, _PHONE] = "'06" + digits[called]
    day.loc[new, _KEY] = "'" + (7 * 10**12 + number[new]).astype(str)
    return day
