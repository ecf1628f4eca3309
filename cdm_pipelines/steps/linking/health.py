"""How well clusters hold together, over all kinds of parties.

Belongs here: what health is asked about, and where the answer is kept. Does not belong here: what makes a cluster
healthy (linkage.health), or who looks at those that are not (review).
"""

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from cdm_pipelines.identity.constraints import Constraints
from cdm_pipelines.linkage.cluster.health import HEALTH_SCHEMA, Health, HealthLimits, State
from cdm_pipelines.linkage.incremental.health import health
from cdm_pipelines.steps.linking.kind import KindLinked
from cdm_pipelines.steps.linking.linked_with import linked_with
from cdm_pipelines.store import layout
from cdm_pipelines.store.damage import DamagedError, made_anew
from cdm_pipelines.store.lake import Lake


def cluster_health(done: Sequence[KindLinked], decided: Constraints, limits: HealthLimits) -> Health:
    """The health of all clusters of two and more records."""
    disputed = _disputed(decided)
    found = [health(one.state, one.records, one.model.match, limits, disputed) for one in done]
    states: Counter[str] = Counter(dict.fromkeys(State, 0))
    for one in found:
        states.update(one.states)
    return Health(pa.concat_tables([HEALTH_SCHEMA.empty_table(), *(one.unhealthy for one in found)]), states)


def write_health(lake: Lake, found: Health) -> None:
    """Keep the clusters that are not healthy; where they are the same as before nothing is written."""
    try:
        if read_health(lake).equals(found.unhealthy) and lake.exists(layout.HEALTH):
            return
    except DamagedError as damaged:
        made_anew("The list of unhealthy clusters is", damaged)
    lake.write(layout.HEALTH, found.unhealthy)


def read_health(lake: Lake) -> pa.Table:
    """The clusters that are not healthy, ``HEALTH_SCHEMA``; none where nothing was linked.

    Raises:
        DamagedError: The list is damaged or gone.
    """
    if not lake.exists(layout.HEALTH) and not linked_with(lake):
        return HEALTH_SCHEMA.empty_table()
    return lake.read(layout.HEALTH)


def _disputed(decided: Constraints) -> pd.DataFrame:
    """Records about which decisions contradict each other."""
    named = {
        (f"{record.source}/{record.entity}", record.record_id)
        for conflict in decided.decided.conflicts
        for record in (*conflict.clash.records, *conflict.decision.records)
    }
    return pd.DataFrame(sorted(named), columns=["source", "record_id"], dtype=str)
