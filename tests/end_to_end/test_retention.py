"""What has expired goes, exactly what a dry run says, and a person who comes back as a customer comes in."""

import csv
import datetime as dt
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cdm_pipelines.contracts.actor import Actor, Role
from cdm_pipelines.hub.connection import open_hub
from cdm_pipelines.privacy.certificate import Certificate
from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.rights import retention
from cdm_pipelines.steps.rights.retention import Planned

from .conftest import DAYS, Deployment

PETRA = Actor("Petra", Role.PRIVACY_OFFICER)
AS_OF = dt.date(2026, 11, 1)
"""Five months after the days that were run."""
POLICY = """
version: 1
customers: {customer_for: 60, at_once: 7}
documents:
  invoice: {dated: issued_on, years: 7}
  order: {dated: ordered_at, years: 7, with: [order_line, payment, refund]}
interactions: 100
landing: 60
raw: 90
valid: 90
quarantine: 31
outbox: 31
feed_files: 31
history: 31
access_log: 31
"""
SINKS = "sinks:\n  warehouse:\n    kind: files\n    purpose: service\n"


def with_policies(home: Deployment) -> Deployment:
    """A deployment with policies of its own."""
    own = home.settings
    policies = own.home / "policies"
    shutil.copytree(own.policies, policies)
    (policies / "retention.yaml").write_text(POLICY, encoding="utf-8")
    (policies / "change_feed.yaml").write_text(SINKS, encoding="utf-8")
    purposes = (policies / "purposes.yaml").read_text(encoding="utf-8")
    (policies / "purposes.yaml").write_text(purposes.replace("then 730 days", "then 30 days"), encoding="utf-8")
    given = {n: getattr(own, n) for n in ("home", "landing_url", "lake_url", "database_url", "threads")}
    return Deployment(load_settings(**given, policies=policies))


def test_look(deploy: Callable[..., Deployment]) -> None:
    home = with_policies(deploy())
    assert home.run(DAYS[0], DAYS[2]) == 0
    print(home.ask("privacy", "retention", "--as-of", "2026-11-01"))
    with open_hub(home.settings) as engine:
        found, done = retention.apply(home.settings, engine, PETRA, AS_OF)
        print(json.dumps(done.content, indent=1))
    assert 0
