"""Audiences as a company declares them: the typed form of ``policies/audiences.yaml``.

Belongs here: the keys, their checks, and whether an audience can be chosen and delivered as it says. Does not belong
here: the language of filters (``audience_filter``), who is in an audience (steps.activation).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.hub.deliveries import Home
from cdm_pipelines.privacy.given import Given
from cdm_pipelines.privacy.policy_files import PolicyFile, Strict
from cdm_pipelines.publish import audience_filter
from cdm_pipelines.publish.audience_columns import Allowed, Declared
from cdm_pipelines.publish.audience_filter import EVERYBODY, FilterError, Term
from cdm_pipelines.publish.platforms.catalogue import FORMS, PLATFORMS, WEBHOOK
from cdm_pipelines.publish.platforms.form import Form
from cdm_pipelines.publish.policy import WebhookSink

FILE = "audiences.yaml"
FOLDER = "publish/audiences"
"""Where files of audiences lie in the lake, of targets that name no folder."""
SERVICE = "service"
"""The enricher by which complaints are known."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


def _platform(value: str) -> str:
    if value not in PLATFORMS:
        raise ValueError(f"there is no platform {value}. {instead(value, PLATFORMS)}")
    return value


def _source(value: str) -> str:
    if value and len([part for part in value.split("/") if part]) != 2:
        raise ValueError("name a source and its entity, such as crm/contact")
    return value


class Target(Strict):
    """Where audiences go, and in what form.

    Attributes:
        platform: Whose form.
        form: Its version that the target was set up for.
        folder: Folder or URL; ``publish/audiences`` in the lake when empty.
        template: A file with the header of the system's own template, held against the form before each delivery.
        source: Of Salesforce: the source entity whose keys are its ids.
        campaign_id: Of Salesforce: the campaign.
        webhook: Of a webhook: its address, the variable with its secret, and how it is tried.
    """

    platform: Annotated[str, AfterValidator(_platform)]
    form: Annotated[int, Field(ge=1, strict=True)] = 1
    folder: str = ""
    template: str = ""
    source: Annotated[str, AfterValidator(_source)] = ""
    campaign_id: str = ""
    webhook: WebhookSink | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.platform == WEBHOOK) != (self.webhook is not None):
            raise ValueError("webhook: is written for the platform webhook, and only then")
        form = FORMS.get(self.platform)
        if form is None:
            return self
        for name in sorted(form.asks):
            if not getattr(self, name):
                raise ValueError(f"{name}: is missing; {form.title} needs it")
        if self.form != form.version:
            raise ValueError(
                f"form: the form of {form.title} has changed: it is version {form.version} "
                f"({', '.join(form.headers)}), and this target was set up for version {self.form}. Set its import up "
                f"for the new one, then write form: {form.version}"
            )
        return self

    @property
    def made_by(self) -> Form | None:
        """The form; None of a webhook."""
        return FORMS.get(self.platform)

    @property
    def home(self) -> Home:
        """Where members go, as the ledger has it; the lake's own folder is the same wherever the lake lies."""
        return Home(self.platform, self.webhook.url if self.webhook else self.folder or FOLDER)


class Pressure(Strict):
    """How often somebody is contacted by us, by messages or by being in audiences.

    Attributes:
        most: From so many contacts on nobody is added.
        days: Within so many days, today the last.
    """

    most: Annotated[int, Field(ge=1, strict=True)]
    days: Annotated[int, Field(ge=1, le=3650, strict=True)]


class Audience(Strict):
    """Customers who are approached for a purpose.

    Attributes:
        description: What it is for, in plain words.
        purpose: Key of a purpose; without one there is no audience.
        channel: Through which they are approached.
        filter: Who is meant; everybody when left out.
        cap: Members at most.
        control_group: Share of those who might be in it who are left out, so that its effect can be measured.
        without_open_complaint: Whether who has an open ticket, or complained lately, is left out.
        target: Name of a target.
        campaign: As its results name it; its own name when empty.
        results_within: Days after being added in which an order counts as its result.
        daily: Whether it is delivered after each publication, and not only by hand.
    """

    description: Annotated[str, Field(min_length=1)]
    purpose: str
    channel: Annotated[str, Field(min_length=1)]
    filter: Any = None
    cap: Annotated[int, Field(ge=1, strict=True)] | None = None
    control_group: Annotated[float, Field(ge=0, lt=1)] = 0.0
    without_open_complaint: bool = False
    target: str
    campaign: str = ""
    results_within: Annotated[int, Field(ge=1, le=365, strict=True)] = 30
    daily: bool = False
    _chosen: Term = PrivateAttr(default=EVERYBODY)

    @field_validator("purpose")
    @classmethod
    def _for_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("is empty: no audience leaves without a purpose. Name one of purposes.yaml")
        return value

    @model_validator(mode="after")
    def _read(self) -> Self:
        if self.filter is not None:
            try:
                self._chosen = audience_filter.read(self.filter)
            except FilterError as error:
                raise ValueError(f"filter.{error}") from None
        return self

    @property
    def chosen(self) -> Term:
        """The filter, read."""
        return self._chosen


class AudiencePolicy(PolicyFile):
    """All audiences of a deployment.

    Attributes:
        keep_files: Days that files of former deliveries stay; those of the newest always do.
        keep_ledger: Days that the ledger remembers who was added or removed; who is in an audience, and who is in a
            control group, is remembered as long as the audience is.
        pressure: How often somebody is added at most; None for no limit.
        targets: By name.
        audiences: By name.
    """

    version: Literal[1]
    FILE = FILE
    MANUAL = "docs/activation.md"

    keep_files: Annotated[int, Field(ge=1, le=3650, strict=True)] = 30
    keep_ledger: Annotated[int, Field(ge=31, le=3650, strict=True)] = 730
    pressure: Pressure | None = None
    targets: Mapping[Name, Target] = {}
    audiences: Mapping[Name, Audience] = {}

    @model_validator(mode="after")
    def _targets_are_there(self) -> Self:
        for name, one in self.audiences.items():
            if one.target not in self.targets:
                raise ValueError(
                    f"audiences.{name}.target: there is no target {one.target}. {instead(one.target, self.targets)}"
                )
        return self

    def against(self, file: Path, columns: Mapping[str, Declared], given: Given) -> Iterator[str]:
        """What audiences say that cannot be done, in words that name the file, the key and the fix.

        Args:
            file: Where they are written.
            columns: All columns that there are.
            given: What values are given for, with the purposes.
        """
        for name, one in self.audiences.items():
            for problem in self._problems(one, columns, given):
                yield f"{file}: audiences.{name}.{problem}"

    def _problems(self, one: Audience, columns: Mapping[str, Declared], given: Given) -> Iterator[str]:
        purposes = given.purposes
        if one.purpose not in purposes.by_key:
            yield f"purpose: there is no purpose {one.purpose}. {instead(one.purpose, purposes.by_key)}"
            return
        channels = purposes[one.purpose].channels
        if one.channel not in channels:
            fix = (
                instead(one.channel, channels)
                if channels
                else "Choose a purpose for which customers are addressed."
            )
            yield (
                f"channel: nobody is addressed through {one.channel} for the purpose {one.purpose}. {fix} Or add it to "
                f"purposes.{one.purpose}.channels in {purposes.path}."
            )
        if one.without_open_complaint and f"{SERVICE}_open_tickets" not in columns:
            yield (
                f"without_open_complaint: the enricher {SERVICE} is switched off, by which complaints are known. "
                "Switch it on in enrichment.yaml, or remove the key."
            )
        allowed = Allowed(one.purpose, columns, given)
        yield from (f"filter.{wrong}" for wrong in audience_filter.problems(one.chosen, allowed))
        yield from self._of_form(one, allowed)

    def _of_form(self, one: Audience, allowed: Allowed) -> Iterator[str]:
        form = self.targets[one.target].made_by
        if form is None:
            return
        if form.channels and one.channel not in form.channels:
            yield (
                f"target: {form.title} is no way to reach customers by {one.channel}. Use one of: "
                f"{', '.join(sorted(form.channels))}; or another target."
            )
        needed = {name for column in form.columns if column.header in form.reached_by for name in column.of}
        addresses = sorted(name for name in needed if name in allowed.columns)
        wrong = [allowed.problem(name) for name in addresses]
        if addresses and all(wrong):
            yield f"target: {form.title} reaches nobody without {' or '.join(addresses)}: {wrong[0]}"


__all__ = ["FILE", "FOLDER", "SERVICE", "Audience", "AudiencePolicy", "Pressure", "Target"]
