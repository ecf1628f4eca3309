"""Twenty persons of a small company who are erased, and their rows as a source delivers them once more."""

import csv
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.hub.persons import persons_of
from cdm_pipelines.settings import load_settings
from cdm_pipelines.store.register import Persons

from .conftest import DAYS, Deployment
from .traces import holding, places_of
from .whose import Lines, Rows, Whose, cells_of, exclusive, lines_of, of_others, rows_of

NUMBER = 20
SINGLE = (
    "SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' AND record_count = 1 ORDER BY 1"
)
SET = "keeper of bees"
"""What a steward made of somebody's job."""
OF_NOBODY = {
    *("ops.profile_state", "ops.seal", "ops.version", "privacy.consent_state"),
    *("golden.search_word", "identity.decision_detail"),
}
"""Tables of figures over all customers, and two that have a test of their own."""


@dataclass(frozen=True)
class Living:
    """A deployment with a history, of which twenty persons are about to be erased.

    Attributes:
        home: The deployment.
        delivered: A copy of what was delivered.
        persons: Who is to be erased, by golden id, as they will be asked for; who was merged by the alias.
        both: The two records of whoever was split.
        exports: Folder of files for people.
    """

    home: Deployment
    delivered: Path
    persons: dict[str, str]
    both: list[tuple[Any, ...]]
    exports: Path


@dataclass(frozen=True)
class Erased:
    """The same when they are erased, with what was there before.

    Attributes:
        home: The deployment.
        delivered: A copy of what was delivered.
        persons: Who was erased, by golden id, as they were asked for.
        known: Everything that named them.
        exports: Folder of files for people.
        both: The two records of whoever was split.
        before: All rows of the hub.
        lines: All lines of landing.
        after: All rows of the hub after the erasure.
        left: All lines of landing after it.
        held: Places that held values of a kind of person before, by kind.
        values: Values that only they had, by person.
        told: What the command said.
    """

    home: Deployment
    delivered: Path
    persons: dict[str, str]
    known: Persons
    exports: Path
    both: list[tuple[Any, ...]]
    before: Rows
    lines: Lines
    after: Rows
    left: Lines
    held: dict[str, set[str]]
    values: dict[str, set[str]]
    told: str

    @property
    def whose(self) -> Whose:
        return Whose.of(self.before, self.persons.values())

    @property
    def every_value(self) -> set[str]:
        return {value for values in self.values.values() for value in values}

    @property
    def half(self) -> set[str]:
        """Whom a steward kept apart from one of them, though all that is known of both is alike."""
        found = {
            row["golden_id"]
            for row in self.before["golden.crosswalk"]
            if (row["source"], row["entity"], row["record_id"]) in self.both
        }
        return found - self.whose.ids

    def customer(self, kind: str) -> dict[str, Any]:
        """The golden customer of a kind, as it was."""
        [name] = Whose.of(self.before, [self.persons[kind]]).ids & {
            row["golden_id"] for row in self.before["golden.customer"]
        }
        return next(dict(row) for row in self.before["golden.customer"] if row["golden_id"] == name)


def customers(home: Deployment, but: Collection[str]) -> list[tuple[Any, ...]]:
    """All golden customers but some."""
    rows = home.query("SELECT * FROM golden.customer ORDER BY golden_id")
    return [row for row in rows if str(row[0]) not in but]


def lived_in(home: Deployment, delivered: Path, exports: Path) -> Living:
    """Days with decisions of stewards, and who is to be erased.

    Args:
        home: A fresh deployment with extracts.
        delivered: Where a copy of the extracts goes.
        exports: Folder of files for people.
    """
    shutil.copytree(home.landing, delivered)
    own = home.settings
    policies = own.home / "policies"
    shutil.copytree(own.policies, policies)
    (policies / "change_feed.yaml").write_text("sinks:\n  warehouse:\n    kind: files\n", encoding="utf-8")
    given = {n: getattr(own, n) for n in ("home", "landing_url", "lake_url", "database_url", "threads")}
    home = Deployment(load_settings(**given, policies=policies))
    assert home.run(DAYS[0]) == 0
    single = [str(row[0]) for row in home.query(SINGLE)]
    one, other, set_of, confirmed, stays = single[:5]
    [(record, split)] = home.query(
        """SELECT min(source || '/' || entity || '/' || record_id), golden_id::text FROM golden.crosswalk
           JOIN golden.customer USING (golden_id) WHERE party_kind = 'person'
           GROUP BY golden_id HAVING count(*) = 2 ORDER BY 2 LIMIT 1"""
    )
    both = home.query(f"SELECT source, entity, record_id FROM golden.crosswalk WHERE golden_id = '{split}'")
    home.ask("steward", "same", one, other, "--by", "Stien", "--because", "same passport")
    home.ask("steward", "different", str(record), str(split), "--by", "Stien")
    home.ask("steward", "set", set_of, f"job_title={SET}", "--by", "Stien")
    home.ask("steward", "confirm", confirmed, "--by", "Stien")
    home.ask("steward", "set", stays, "job_title=keeper of ants", "--by", "Stien", "--because", "stays")
    assert home.run(DAYS[1], DAYS[2]) == 0
    [(alias,)] = home.query("SELECT golden_id::text FROM identity.golden_id WHERE status = 'alias'")
    persons = {"merged": str(alias), "split": str(split), "set": set_of, "confirmed": confirmed}
    persons |= {"housemate": housemate(home), "invoiced": invoiced(home)}
    everybody = home.query(
        "SELECT golden_id::text FROM golden.customer WHERE party_kind = 'person' ORDER BY 1"
    )
    taken = {*persons.values(), one, other, stays}
    more = [str(id_) for (id_,) in everybody if str(id_) not in taken]
    persons |= {f"other-{at}": name for at, name in enumerate(more[: NUMBER - len(set(persons.values()))])}
    assert len(set(persons.values())) == NUMBER
    return Living(home, delivered, persons, both, exports)


def erased_of(living: Living) -> Erased:
    """Erase them, and see what was there before and what is left."""
    home, persons = living.home, living.persons
    exported(home, living.exports)
    complain(home, persons["housemate"])
    with open_hub(home.settings) as engine, engine.connect() as connection:
        known = persons_of(connection, [UUID(one) for one in persons.values()])
    before, lines, places = rows_of(home), lines_of(home.landing), places_of(home)
    others = list(of_others(Whose.of(before, persons.values()), before, lines, OF_NOBODY))
    values = {
        kind: exclusive(
            Whose.of(before, [id_]).values(home, lines) | ({SET} if kind == "set" else set()), others
        )
        for kind, id_ in persons.items()
    }
    held = {kind: holding(places, values[kind]) for kind in persons} | {SET: holding(places, {SET})}
    told = home.ask("privacy", "erase", *persons.values(), "--by", "Petra", "--reason", "case 12", "--yes")
    after, left = rows_of(home), lines_of(home.landing)
    return Erased(
        home, living.delivered, persons, known, living.exports, living.both,
        before, lines, after, left, held, values, told,
    )  # fmt: skip


def complain(home: Deployment, person: str) -> None:
    """Somebody is restricted, and no more, with their own address as the reason of both."""
    [(mail,)] = home.query(f"SELECT email FROM golden.customer WHERE golden_id = '{person}'")
    for more in ((), ("--lift",)):
        home.ask("privacy", "restrict", person, "--by", "Petra", "--reason", f"wrote from {mail}", *more)


def exported(home: Deployment, to: Path) -> None:
    """Files for people: as they were written, moved, changed, and without any person."""
    for name, table in (
        ("customers.csv", "customer"),
        ("customers.parquet", "customer"),
        ("orders.jsonl", "customer_order"),
        ("moved.csv", "customer"),
        ("changed.csv", "customer"),
        ("products.csv", "product"),
    ):
        form = name.rpartition(".")[2]
        home.ask("export", "golden", "--table", table, "--format", form, "--out", str(to / name))
    home.ask("export", "golden", "--role", "analyst", "--out", str(to / "pseudonyms.csv"))
    rejected = to / "rejected.csv"
    home.ask("quarantine", "export", "crm/contact", "--date", DAYS[0], "--out", str(rejected))
    (to / "moved.csv").rename(to / "elsewhere.csv")
    with (to / "changed.csv").open("a", encoding="utf-8") as more:
        more.write("\n")


def housemate(home: Deployment) -> str:
    """Somebody with whom another customer shares an address."""
    [(found,)] = home.query(
        """SELECT c.golden_id::text FROM golden.customer c WHERE party_kind = 'person' AND record_count > 1
           AND EXISTS (SELECT FROM golden.customer d WHERE d.golden_id <> c.golden_id AND d.postcode = c.postcode
                       AND d.house_number = c.house_number AND d.party_kind = 'person')
           ORDER BY 1 LIMIT 1"""
    )
    return str(found)


def invoiced(home: Deployment) -> str:
    [(found,)] = home.query(
        """SELECT golden_id::text FROM golden.invoice JOIN golden.customer USING (golden_id)
           WHERE party_kind = 'person' AND source_count > 1 GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"""
    )
    return str(found)


def theirs_alone(home: Deployment, delivered: Path, *ids: str) -> set[str]:
    """Values of some customers that nobody else has, by the hub and by what was delivered."""
    hub, lines = rows_of(home), lines_of(delivered)
    whose = Whose.of(hub, ids)
    return exclusive(whose.values(home, lines), of_others(whose, hub, lines, OF_NOBODY))


CONTACT = f"crm/contact/{DAYS[2]}.csv"
BACK = ("0037Q0000AGAIN1QAA", "0037Q0000AGAIN2QAA", "0037Q0000AGAIN3QAA", "0037Q0000AGAIN4QAA")
"""Numbers under which persons who were erased are delivered once more."""
NEWCOMER = "fenna@own-mailbox.example"


def delivered_as(erased: Erased, kind: str) -> dict[str, str]:
    """The last row of a person among the contacts."""
    records = Whose.of(erased.before, [erased.persons[kind]]).records
    rows = cells_of(CONTACT, erased.lines[CONTACT])
    return next(row for row in rows if ("crm", "contact", row.get("Id", "")) in records)


def somebody_again(erased: Erased) -> list[dict[str, str]]:
    """Persons who were erased under numbers that were never seen, each told by something else and spelled otherwise."""
    mail, other, born = (delivered_as(erased, kind) for kind in ("set", "confirmed", "invoiced"))
    named = ("FirstName", "LastName")
    return [
        {name: mail[name].upper() for name in (*named, "Email")},
        {name: other[name] for name in named} | {"Phone": spelled(other["MobilePhone"])},
        {name: born[name] for name in (*named, "Birthdate")}
        | {"MailingPostalCode": born["MailingPostalCode"].replace(" ", "").lower()},
        {
            "FirstName": f"{other['FirstName'][:1]}.",
            "LastName": other["LastName"].replace("-", " ").replace("o", "ó"),
            "Email": f"<{other['Email']}>",
        },
    ]


def spelled(phone: str) -> str:
    """A Dutch phone number as somebody abroad writes it."""
    digits = "".join(filter(str.isdigit, phone)).removeprefix("0031").removeprefix("31").lstrip("0")
    return f"0031 (0){digits[0]} {digits[1:5]} {digits[5:]}"


def contacts(erased: Erased) -> list[str]:
    """Lines of contacts: four persons who were erased, and two who were not, alike as they are to some who were."""
    gone, born = erased.customer("housemate"), delivered_as(erased, "invoiced")
    own = {
        "FirstName": "Fenna",
        "LastName": str(gone["surname"]),
        "MailingStreet": f"{gone['street']} {gone['house_number']}",
        "MailingPostalCode": str(gone["postcode"]),
        "MailingCity": str(gone["city"]),
        "MailingCountry": "Nederland",
        "Phone": str(gone["phone"]),
        "Email": NEWCOMER,
    }
    namesake = {
        "FirstName": born["FirstName"],
        "LastName": born["LastName"],
        "Birthdate": "1951-02-03",
        "MailingPostalCode": born["MailingPostalCode"],
        "Email": "namesake@own-mailbox.example",
    }
    rows = [{"Id": id_, **row} for id_, row in zip(BACK, somebody_again(erased), strict=True)]
    rows += [{"Id": "0037Q0000OTHER1QAA", **own}, {"Id": "0037Q0000OTHER2QAA", **namesake}]
    columns = next(csv.reader([erased.lines[CONTACT][0]]))
    usual = {"IsDeleted": "false", "LastModifiedDate": f"{DAYS[2]}T08:00:00.000Z"}
    return [",".join(f'"{(usual | row).get(name, "")}"' for name in columns) for row in rows]
