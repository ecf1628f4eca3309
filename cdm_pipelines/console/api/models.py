"""What the API takes and gives, for validation and for its description.

Belongs here: models of bodies and answers. Does not belong here: making them.

A text that comes in holds no control characters but line ends, and has a limit: it may reach a log of decisions.
"""

import datetime as dt
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

_LONGEST = 500


def _plain(text: str) -> str:
    if any(not character.isprintable() and character not in "\n\t" for character in text):
        raise ValueError("holds characters that no text has")
    return text


Text = Annotated[str, Field(max_length=_LONGEST), AfterValidator(_plain)]
Named = Annotated[
    str,
    Field(
        min_length=1,
        max_length=_LONGEST,
        description="A golden id of any age, or a source record: source/entity/record_id.",
    ),
    AfterValidator(_plain),
]


class Body(BaseModel):
    """What is sent: nothing beside what is named."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Problem(BaseModel):
    """Why a request is refused (RFC 9457)."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str


class Customer(BaseModel):
    """A golden customer as the caller's role sees it."""

    golden_id: UUID = Field(description="Its current id.")
    asked_as: UUID = Field(description="The id that was asked for, which may be an older one.")
    as_of: dt.datetime | None = Field(description="The moment of which this is; null for now.")
    name: str
    values: dict[str, JsonValue] = Field(description="By column; masked where the role sees a mask.")
    masked: list[str] = Field(description="Columns of which the role sees a mask.")


class Rows(BaseModel):
    """Rows of a customer, a page at a time."""

    golden_id: UUID
    items: list[dict[str, JsonValue]]
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class Hit(BaseModel):
    """A customer who may be meant."""

    golden_id: UUID
    score: float | None = Field(
        description="Match weight in bits; null where an id or number names the customer."
    )
    why: str = Field(description="What agrees, without values.")
    missed: list[str] = Field(
        description="What was typed that the customer is not known by, or that the role may not look for."
    )
    suggestion: bool = Field(
        description="True where something was missed, or where what agrees is what many share: a year, an area, an "
        "initial, a town, words or values that are only like those typed. Such a customer may be another."
    )
    name: str
    values: dict[str, JsonValue]


class Hits(BaseModel):
    """Customers who may be meant, the best first."""

    items: list[Hit]


class Allowed(BaseModel):
    """Whether one purpose is allowed by one channel."""

    model_config = ConfigDict(extra="allow")
    purpose: str
    channel: str
    allowed: bool


class Consent(BaseModel):
    """What a customer allows."""

    golden_id: UUID
    items: list[Allowed]


class Change(BaseModel):
    """Something that happened to a customer."""

    position: int
    event_id: UUID
    type: str
    golden_id: UUID
    related_id: UUID | None
    publication: int
    published_at: dt.datetime
    changed: list[str] = Field(description="Names of what changed that the role sees.")


class Changes(BaseModel):
    """The change feed, in order."""

    items: list[Change]
    after: int = Field(description="Where to go on: `?after=` of the next request.")
    behind: bool = Field(description="Whether there is more.")


class ToMatch(Body):
    """A record that somebody is about to make."""

    record: Annotated[dict[str, Text], Field(min_length=1, max_length=60)] = Field(
        description="By field of a party, as it was typed: given_name, surname, birth_date, email, postcode, …"
    )
    kind: Literal["person", "organisation"] | None = Field(
        None, description="Told from the fields when left out."
    )
    country: Annotated[str | None, Field(pattern=r"^[A-Z]{2}$")] = Field(
        None, description="ISO 3166-1 alpha-2, for numbers and postcodes without one."
    )


class Step(BaseModel):
    """What one comparison adds, in bits."""

    comparison: str
    level: str
    weight: float


class MatchCandidate(BaseModel):
    """A customer that the record may be of."""

    golden_id: UUID
    verdict: Literal["joins", "in doubt"]
    weight: float = Field(description="Match weight in bits, by the linkage model.")
    probability: float
    records: list[str] = Field(description="Source records that were compared, where the role sees them.")
    waterfall: list[Step]


class MatchFault(BaseModel):
    """What is wrong with a field, without its value."""

    field: str
    rule: str
    fix: str


class Match(BaseModel):
    """What the next run would do with the record."""

    verdict: Literal["joins", "in doubt", "new"]
    golden_id: UUID | None = Field(description="The customer that it would join.")
    kind: Literal["person", "organisation"]
    candidates: list[MatchCandidate]
    faults: list[MatchFault]


class Decision(Body):
    """A steward's decision."""

    kind: Literal["same", "different", "confirm", "set", "undo"]
    customer: Named | None = Field(None, description="Whom it is about; of `same` and `different` the one.")
    other: Named | None = Field(None, description="Of `same` and `different` the other.")
    attribute: Annotated[Text | None, Field(description="Of `set`.")] = None
    value: Annotated[Text | None, Field(description="Of `set`.")] = None
    expires: dt.date | None = Field(None, description="Of `set`: the first day on which sources speak again.")
    decision: int | None = Field(None, ge=1, le=2**62, description="Of `undo`: the number of the decision.")
    reason: Text = ""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Decision":
        needs = {
            "same": ("customer", "other"),
            "different": ("customer", "other"),
            "confirm": ("customer",),
            "set": ("customer", "attribute", "value"),
            "undo": ("decision",),
        }[self.kind]
        missing = [name for name in needs if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a decision of the kind {self.kind} needs {' and '.join(missing)}")
        return self


class Recorded(BaseModel):
    """What was recorded."""

    decision: int
    kind: str
    in_force: bool = Field(
        description="Whether it counts in the next run; not where it contradicts another one."
    )
    conflict: str | None


class Said(Body):
    """What a customer says about consent."""

    customer: Named
    purpose: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="Its key in policies/purposes.yaml."
    )
    channel: Annotated[str, Field(max_length=20)] = Field(
        "", description="email, phone, post, sms, visit, web, app or other; empty for every channel."
    )
    state: Literal["given", "refused", "withdrawn", "objected"]
    method: Annotated[Text, Field(min_length=1, description="How it was said: a call, a form.")]
    notice: Annotated[Text, Field(description="What was asked or read to them, or where that is.")] = ""
    notice_version: Annotated[Text, Field(description="Version of that text.")] = ""
    reason: Annotated[Text, Field(description="Words of whoever takes it down.")] = ""


class TakenDown(BaseModel):
    """What is in force since."""

    statement: int = Field(description="Its number.")
    purpose: str
    channel: str
    allowed: bool = Field(description="Whether the purpose is allowed by the channel now.")
    state: str | None = Field(description="Of the statement that decides.")
    why: str = Field(description="Why it is so, in words.")
    changed: list[str] = Field(description="Purposes and channels for which what is allowed has changed.")


class Asked(Body):
    """A request of a person about their data."""

    kind: Literal["restrict", "object", "lift", "rectify"]
    customer: Named
    purpose: Annotated[Text, Field(description="Of `object`, and of `lift` where that is of a purpose.")] = ""
    attribute: Annotated[Text | None, Field(description="Of `rectify`.")] = None
    value: Annotated[Text | None, Field(description="Of `rectify`.")] = None
    reason: Text = ""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Asked":
        if self.kind == "object" and not self.purpose:
            raise ValueError("an objection names its purpose")
        if self.kind == "rectify" and (self.attribute is None or self.value is None):
            raise ValueError("to rectify needs attribute and value")
        return self


class Done(BaseModel):
    """What was done about a request."""

    kind: str
    request: int | None = Field(description="Its number.")
    records: int | None = Field(None, description="Of `lift`: source records that are used again.")
    decision: int | None = Field(None, description="Of `rectify`: the decision that it became.")


class RequestOfPerson(BaseModel):
    """A request, without whose it is."""

    request: int
    kind: str
    state: str
    received_at: dt.datetime
    due_on: dt.date
    closed_at: dt.datetime | None
    late: bool
    checked_by: str
    reason: str | None


class RequestsOfPersons(BaseModel):
    """All requests, the newest first."""

    items: list[RequestOfPerson]
    next: str | None
