"""All that is declared of audiences, held against what there is.

Belongs here: bringing policies, contracts, purposes and columns together. Does not belong here: who is in an audience
(``audiences``), what a policy may say (publish.audience_policy).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from cdm_pipelines.contracts.catalogue import all_contracts
from cdm_pipelines.contracts.errors import instead
from cdm_pipelines.enrichment.catalogue import enrichers
from cdm_pipelines.hub.deliveries import Home
from cdm_pipelines.privacy.checks import in_force
from cdm_pipelines.privacy.given import Given
from cdm_pipelines.publish.audience_columns import Declared, declared_columns
from cdm_pipelines.publish.audience_keys import Keys
from cdm_pipelines.publish.audience_policy import FILE, Audience, AudiencePolicy, Target
from cdm_pipelines.settings import Settings
from cdm_pipelines.steps.profile.enrich import policy_of, tables_of
from cdm_pipelines.store.categories import IDENTIFIER, is_personal


class AudienceError(ValueError):
    """An audience cannot be chosen or delivered; the message names it and says what to do."""


@dataclass(frozen=True)
class Book:
    """All that is declared of audiences.

    Attributes:
        settings: Of the deployment.
        policy: The audiences.
        given: What values are given for, with the purposes.
        columns: All columns that there are.
        keys: What is made with the secret.
        sent: What interactions say that we sent since a day, as ``touches.MESSAGES``, once that was asked for.
    """

    settings: Settings
    policy: AudiencePolicy
    given: Given = field(repr=False)
    columns: Mapping[str, Declared] = field(repr=False)
    keys: Keys
    sent: dict[dt.date, pa.Table] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "Book":
        """The audiences of a deployment.

        Raises:
            AudienceError: They say what cannot be done; all of it is named.
            PrivacyPolicyError, PurposesError, EnrichmentPolicyError, EnricherError: A policy cannot be used.
        """
        contracts = all_contracts()
        purposes = in_force(settings.policies, contracts, enrichers(settings.policies))
        columns = declared_columns(tables_of(policy_of(settings)))
        policy, given = AudiencePolicy.load(settings.policies), Given.of(contracts, purposes)
        if problems := list(policy.against(settings.policies / FILE, columns, given)):
            raise AudienceError("\n".join(problems))
        return cls(settings, policy, given, columns, Keys(settings.home))

    def named(self, name: str) -> Audience:
        """An audience.

        Raises:
            AudienceError: There is none of that name.
        """
        if name not in self.policy.audiences:
            raise AudienceError(f"There is no audience {name}. {instead(name, self.policy.audiences)}")
        return self.policy.audiences[name]

    def categories(self, audience: Audience) -> set[str]:
        """Personal categories of what is told of its members: who they are, and what the form makes columns of."""
        form = self.target(audience).made_by
        found = {self.columns[name].privacy for name in form.attributes} if form else set()
        return {IDENTIFIER, *(one for one in found if is_personal(one))}

    def target(self, audience: Audience) -> Target:
        """Where an audience goes."""
        return self.policy.targets[audience.target]

    def home(self, audience: Audience) -> Home:
        """Where an audience goes, as the ledger has it."""
        return self.target(audience).home
