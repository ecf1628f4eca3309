"""Which values are kept encrypted: the typed form of ``policies/protection.yaml``, and sealing and opening by it.

Belongs here: the policy, which columns it means, and the vault of a deployment. Does not belong here: how a text is
sealed (store.cipher), where it is done (steps.days), new keys (steps.privacy.rotation).

Whoever may see a value gets it opened by the commands of the pipeline; in SQL it is sealed for everybody.
"""

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.contracts.canonical import Entity, attributes
from cdm_pipelines.privacy.categories import unknown_categories
from cdm_pipelines.privacy.policy_files import PolicyFile, PrivacyPolicyError
from cdm_pipelines.settings import Settings
from cdm_pipelines.store.cipher import Cipher, CipherError
from cdm_pipelines.store.lake import Lake

POLICY = "protection.yaml"
FILE = "privacy/protection.keys"
"""The keys, under ``CDM_HOME`` unless the settings say otherwise."""
NOTE = "privacy/protection.json"
"""The note in the lake of the number of the newest key, so that keys that were lost are told."""
_COMPARED_WHOLE = frozenset({(Entity.PARTY, "iban")})
"""Attributes that nothing reads but for whether two are equal."""


class Protection(PolicyFile):
    """What is kept encrypted.

    Attributes:
        categories: Fides data categories; what is below one is meant with it.
    """

    FILE = POLICY
    MANUAL = "docs/privacy.md"

    categories: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the policy.

        Raises:
            PrivacyPolicyError: It cannot be used; the message names the file, the key and the fix.
        """
        policy = super().load(folder)
        for entity in Entity:
            for one in attributes(entity):
                if policy.covers(one.privacy) and (entity, one.name) not in _COMPARED_WHOLE:
                    raise PrivacyPolicyError(
                        f"{folder / POLICY}: categories: {one.privacy} is the category of {entity}.{one.name}, "
                        "which is compared in parts, looked up or no text, and cannot be encrypted by itself. Take it "
                        "out, or name a category below it; the whole of lake and database belongs on an encrypted disk."
                    )
        return policy

    def covers(self, category: str | None) -> bool:
        """Whether values of a category are encrypted."""
        return any(category == one or (category or "").startswith(f"{one}.") for one in self.categories)

    def delivered(self, contract: SourceContract) -> frozenset[str]:
        """The columns of a source entity that are encrypted.

        Raises:
            PrivacyPolicyError: A column of its key is among them.
        """
        found = frozenset(one.name for one in contract.columns if self.covers(one.privacy))
        if in_key := sorted(found & set(contract.key)):
            raise PrivacyPolicyError(
                f"{POLICY}: categories: {in_key[0]} of {contract.name} has one of them, and is part of the key of its "
                "rows. Take the column out of the key, or the category out of the policy."
            )
        return found

    def standard(self, entity: Entity) -> frozenset[str]:
        """The columns of a canonical entity's table that are encrypted, as delivered and as standardised."""
        names = [one.name for one in attributes(entity) if self.covers(one.privacy)]
        return frozenset(spelled for name in names for spelled in (name, f"{name}_original"))

    def problems(self, contracts: Iterable[SourceContract]) -> list[str]:
        """What is wrong with the policy beside the contracts that there are, in sentences."""
        declared = {one.privacy for contract in contracts for one in contract.columns if one.privacy}
        return [
            f"{POLICY}: categories: {name} is no category. {hint}"
            for name, hint in unknown_categories(self.categories, declared)
        ]


@dataclass(frozen=True)
class Vault:
    """The policy of a deployment, with its keys."""

    protection: Protection
    cipher: Cipher

    @classmethod
    def of(cls, settings: Settings, lake: Lake) -> Self:
        """As it stands; nothing is made.

        Raises:
            PrivacyPolicyError: The policy cannot be used.
            CipherError: Keys cannot be read, or the newest one is missing.
        """
        path, cipher = keys_at(settings), Cipher.of(keys_at(settings))
        noted = int(json.loads(lake.read_json(NOTE))["key"]) if lake.lies_alone(NOTE) else 0
        if noted > cipher.number:
            raise CipherError(
                f"Key {noted} of {path} is missing, under which values in the lake are encrypted. Put the file back "
                "from your copy. Without it nobody can read them, so nothing runs."
            )
        return cls(Protection.load(settings.policies), cipher)

    @classmethod
    def for_contract(cls, settings: Settings, lake: Lake, contract: SourceContract) -> Self:
        """As it stands, with a first key where the contract has something to encrypt.

        Raises:
            PrivacyPolicyError, CipherError: As :meth:`of`.
        """
        vault = cls.of(settings, lake)
        return vault.with_key(settings, lake) if vault.protection.delivered(contract) else vault

    def with_key(self, settings: Settings, lake: Lake) -> Self:
        """With a first key, where there is none."""
        cipher = self.cipher
        if not cipher.number:
            cipher = cipher.with_new_key(dt.datetime.now(dt.UTC).date()).write_first(keys_at(settings))
        note_in(lake, cipher)
        return replace(self, cipher=cipher)

    def seal(self, table: pa.Table, columns: Collection[str]) -> pa.Table:
        """A table with some of its columns sealed; those that it does not have are passed over."""
        return _changed(table, columns, self.cipher.seal)

    def open(self, table: pa.Table) -> pa.Table:
        """A table with all that is sealed in it opened."""
        if not self.cipher.number:
            return table
        texts = [one.name for one in table.schema if pa.types.is_string(one.type)]
        return _changed(table, texts, self.cipher.open)

    def seal_value(self, value: str) -> str:
        """One value, sealed."""
        return str(self.cipher.seal(pa.array([value]))[0])

    def open_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with all that is sealed in it opened."""
        if not self.cipher.number:
            return dict(row)
        return {
            name: self.cipher.opened(cell) if isinstance(cell, str) else cell for name, cell in row.items()
        }


def keys_at(settings: Settings) -> Path:
    """Where the keys of a deployment are."""
    return settings.protection_keys or settings.home / FILE


def note_in(lake: Lake, cipher: Cipher) -> None:
    """Note in the lake which key is the newest."""
    told = json.dumps({"key": cipher.number})
    if not lake.lies_alone(NOTE) or lake.read_json(NOTE) != told:
        lake.write_json(NOTE, told)


def _changed(
    table: pa.Table, columns: Collection[str], change: Callable[[pa.ChunkedArray], pa.Array]
) -> pa.Table:
    for at, name in enumerate(table.column_names):
        if name in columns:
            table = table.set_column(at, table.schema.field(at), change(table[name]))
    return table
