"""New keys: what is encrypted in the lake is sealed anew under another key.

Belongs here: which tables there are, and going on where it was cut short. Does not belong here: sealing
(store.cipher), what is encrypted (privacy.protection).

Tables of deliveries are written anew here. Records, customers and their history follow with the next run, as after any
other change of what was delivered. Former keys stay: history and decisions of the past are sealed under them.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from sqlalchemy import Engine

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.privacy.protection import Vault, keys_at, note_in
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.rights.erasure import alone
from cdm_pipelines.store import layout
from cdm_pipelines.store.cipher import Cipher
from cdm_pipelines.store.lake import Lake
from cdm_pipelines.store.removal import written_anew

_BATCH = 100_000


@dataclass(frozen=True)
class Rotated:
    """What was done.

    Attributes:
        key: Number of the key that seals from now on; 0 where nothing is encrypted.
        tables: How many tables were written anew.
        was_cut_short: Whether an earlier change of keys was ended, and no key made.
    """

    key: int
    tables: int
    was_cut_short: bool


def rotate(
    settings: Settings,
    engine: Engine,
    contracts: Sequence[SourceContract],
    today: dt.date,
    *,
    patience: float,
    progress: Callable[[str], None] = lambda _: None,
) -> Rotated:
    """Make a new key and seal everything in the tables of deliveries under it; or end what was cut short.

    Args:
        settings: Of the deployment.
        engine: Of its hub, which knows of runs under way.
        contracts: Of all source entities.
        today: The day from which on the new key is used.
        patience: Seconds to wait for runs that are under way.
        progress: Told which table is written.

    Raises:
        GateError, RightsError: A person is being erased, keys are being changed, or runs do not end.
        PrivacyPolicyError, CipherError: As :meth:`Vault.of`.
    """
    lake = Lake(settings.lake_url)
    vault = Vault.of(settings, lake)
    if not vault.cipher.number:
        return Rotated(0, 0, was_cut_short=False)
    with alone(settings, engine, patience):
        left = list(_outdated(lake, contracts, vault.cipher))
        if not left:
            vault = replace(vault, cipher=vault.cipher.with_new_key(today))
            vault.cipher.write(keys_at(settings))
        note_in(lake, vault.cipher)
        waiting = left or list(_outdated(lake, contracts, vault.cipher))
        for path in waiting:
            progress(path)
            written_anew(lake, path, lambda table: _sealed_anew(table, vault.cipher))
    return Rotated(vault.cipher.number, len(waiting), was_cut_short=bool(left))


def _outdated(lake: Lake, contracts: Sequence[SourceContract], cipher: Cipher) -> Iterator[str]:
    """Tables of deliveries that hold values under a former key."""
    for path in _paths(lake, contracts):
        texts = [one.name for one in lake.schema(path) if pa.types.is_string(one.type)]
        batches = lake.read_batches(path, _BATCH, texts)
        if any(cipher.outdated(column) for table in batches for column in table.columns):
            yield path


def _paths(lake: Lake, contracts: Sequence[SourceContract]) -> Iterator[str]:
    for contract in contracts:
        for layer in (
            layout.raw_path,
            layout.valid_path,
            layout.quarantine_path,
            layout.corrections_path,
        ):
            for date in layout.days(lake, layer(contract, "").partition("/")[0], contract):
                yield layer(contract, date)
        for entity in contract.entities:
            for date in layout.standard_days(lake, contract, entity):
                yield layout.standard_path(contract, date, entity)


def _sealed_anew(table: pa.Table, cipher: Cipher) -> pa.Table:
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type) and cipher.outdated(table[field.name]):
            table = table.set_column(at, field, cipher.seal_again(table[field.name]))
    return table
