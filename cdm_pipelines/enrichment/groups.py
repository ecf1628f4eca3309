"""The views of the profile with a row per group of customers: households, and groups of organisations.

Belongs here: their columns. Does not belong here: who is of which group (``household``, ``organisation``), making the
views (hub.profile_views).

A column is worked out of the tables of enrichers when it is read, and so published with them. What the table of an
enricher that is switched off would say is left out.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from cdm_pipelines.contracts.profile import GroupColumn, GroupView
from cdm_pipelines.enrichment.declaration import Enricher

_ID: Final = "user.unique_id"
_PSEUDONYM: Final = "user.unique_id.pseudonymous"
_HISTORY: Final = "user.behavior.purchase_history"
_BEHAVIOUR: Final = "user.behavior"
_LOCATION: Final = "user.location.imprecise"
_MONEY: Final = "user.financial"


def _sum(name: str, description: str, privacy: str, of: str, kind: str = "numeric") -> GroupColumn:
    return GroupColumn(name, kind, description, privacy, f"coalesce(sum({of}), 0)", (of,))


def _latest(name: str, description: str, privacy: str, of: str) -> GroupColumn:
    return GroupColumn(name, "date", description, privacy, f"max({of})", (of,))


def _bought(whose: str) -> tuple[GroupColumn, ...]:
    last = "rfm.last_ordered_on"
    return (
        _sum("orders", f"Orders that count, of all {whose}.", _HISTORY, "rfm.orders", "bigint"),
        _sum("net", f"What all {whose} spent, returns subtracted.", _HISTORY, "rfm.net"),
        GroupColumn(
            "first_ordered_on",
            "date",
            f"Day of the first order of any of the {whose}.",
            _HISTORY,
            "min(rfm.first_ordered_on)",
            ("rfm.first_ordered_on",),
        ),
        _latest("last_ordered_on", f"Day of the last order of any of the {whose}.", _HISTORY, last),
        GroupColumn(
            "days_since_last_order",
            "integer",
            "Days since that order.",
            _HISTORY,
            f"CURRENT_DATE - max({last})",
            (last,),
        ),
        _sum(
            "expected_value",
            f"Value expected of all {whose} within the horizon of lifetime_value.",
            _HISTORY,
            "lifetime_value.expected_value",
        ),
        _sum("open_amount", "Claims on them that are not settled.", _MONEY, "payment.open_amount"),
        _sum("overdue_amount", "Those of them that are overdue.", _MONEY, "payment.overdue_amount"),
        _sum("open_tickets", "Open tickets of all of them.", _BEHAVIOUR, "service.open_tickets", "bigint"),
        _latest(
            "last_contact_by_us",
            f"Day on which we were last in touch with any of the {whose}.",
            _BEHAVIOUR,
            "engagement.last_contact_by_us",
        ),
    )


_household = partial(GroupColumn, privacy="user.demographic")
_MOST_OFTEN: Final = "mode() WITHIN GROUP (ORDER BY {0})"
HOUSEHOLD: Final = GroupView(
    "household",
    "One row per household of golden persons, those of one person among them.",
    "household",
    (
        GroupColumn(
            "household_id",
            "text",
            "The household, as profile.customer has it in household_household_id.",
            _PSEUDONYM,
            "household.household_id",
            ("household.household_id",),
        ),
        GroupColumn(
            "members",
            "uuid[]",
            "Golden ids of its customers.",
            _ID,
            "array_agg(household.golden_id ORDER BY household.golden_id)",
            ("household.household_id",),
        ),
        _household("size", "bigint", "How many they are.", sql="count(*)", of=("household.household_id",)),
        _household(
            "adults",
            "bigint",
            "Those known to be 18 or older.",
            sql="max(household.adults)",
            of=("household.adults",),
        ),
        _household(
            "children",
            "bigint",
            "Those known to be under 18.",
            sql="max(household.children)",
            of=("household.children",),
        ),
        _household(
            "composition",
            "text",
            "one person, couple, family, one-parent family, twins, or sharing: a hint, no register entry.",
            sql="max(household.composition)",
            of=("household.composition",),
        ),
        _household(
            "confidence",
            "numeric",
            "Probability that they live together: of the member who is least sure to.",
            sql="min(household.confidence)",
            of=("household.confidence",),
        ),
        *(
            GroupColumn(
                name,
                "text",
                f"{name.capitalize()} of most of its customers.",
                _LOCATION,
                _MOST_OFTEN.format(f"location.{name}"),
                (f"location.{name}",),
            )
            for name in ("municipality", "province")
        ),
        *_bought("members"),
    ),
)
_organisation = partial(GroupColumn, privacy="user.contact.organization")
_HEAD: Final = "FILTER (WHERE organisation.role IN ('single', 'head'))"
ORGANISATION: Final = GroupView(
    "organisation",
    "One row per group of organisations, those of one organisation among them.",
    "organisation",
    (
        GroupColumn(
            "group_id",
            "text",
            "The group, as profile.customer has it in organisation_group_id.",
            _PSEUDONYM,
            "organisation.group_id",
            ("organisation.group_id",),
        ),
        _organisation(
            "name",
            "text",
            "Name of its head.",
            sql="max(organisation.group_name)",
            of=("organisation.group_name",),
        ),
        GroupColumn(
            "head",
            "uuid",
            "Golden id of its head; of one organisation alone its own.",
            _ID,
            f"(array_agg(organisation.golden_id ORDER BY organisation.golden_id) {_HEAD})[1]",
            ("organisation.role",),
        ),
        GroupColumn(
            "members",
            "uuid[]",
            "Golden ids of its organisations, the head among them.",
            _ID,
            "array_agg(organisation.golden_id ORDER BY organisation.golden_id)",
            ("organisation.group_id",),
        ),
        _organisation(
            "organisations", "bigint", "How many they are.", sql="count(*)", of=("organisation.group_id",)
        ),
        _organisation(
            "contact_persons",
            "bigint",
            "Golden persons who act for one of them.",
            sql="sum(organisation.contact_persons)",
            of=("organisation.contact_persons",),
        ),
        _sum(
            "contact_net",
            "What these persons spent in their own name; in no other column.",
            _HISTORY,
            "organisation.contact_value",
        ),
        *(
            GroupColumn(
                name,
                "text",
                f"{name.capitalize()} of its head.",
                _LOCATION,
                f"max(location.{name}) {_HEAD}",
                (f"location.{name}", "organisation.role"),
            )
            for name in ("municipality", "province")
        ),
        GroupColumn(
            "credit_class",
            "text",
            "The worst class of its organisations, A to D; empty where none is known.",
            _MONEY,
            "max(payment.credit_class) FILTER (WHERE payment.credit_class <> 'unknown')",
            ("payment.credit_class",),
        ),
        *_bought("organisations"),
    ),
)
GROUPS: Final = (HOUSEHOLD, ORGANISATION)


def group_views(on: Mapping[str, Enricher]) -> tuple[GroupView, ...]:
    """The views whose groups an enricher that is switched on says."""
    return tuple(one for one in GROUPS if one.groups in on)


def columns_with(view: GroupView, on: Iterable[str]) -> tuple[GroupColumn, ...]:
    """The columns that a view has with some enrichers switched on."""
    known = frozenset(on)
    return tuple(one for one in view.columns if one.tables <= known)
