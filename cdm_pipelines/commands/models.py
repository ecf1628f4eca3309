"""``cdm link model``: fitted models as text, side by side, and brought back.

Belongs here: how a model is printed. Does not belong here: what it says (linkage.report, linkage.model_diff), or where
models are kept (steps.linking.model_versions).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cdm_pipelines.commands.bars import bar, signed
from cdm_pipelines.commands.terminal import console
from cdm_pipelines.commands.terminal import show as show_rows

if TYPE_CHECKING:
    from cdm_pipelines.linkage import LinkageModel
    from cdm_pipelines.linkage.explain.pictures import Picture
    from cdm_pipelines.linkage.model.difference import Level
    from cdm_pipelines.settings import Settings
    from cdm_pipelines.steps.linking.explain import Linkage


def show(
    fitted: "Mapping[str, LinkageModel]", linkages: "Sequence[Linkage]", own: "Settings | None"
) -> "list[Picture]":
    """Print models by name, with what their records tell; returns their charts."""
    from cdm_pipelines.linkage.explain import pictures  # noqa: PLC0415
    from cdm_pipelines.linkage.explain.pair import unlinkable_share  # noqa: PLC0415
    from cdm_pipelines.linkage.model.fellegi_sunter import log2_odds  # noqa: PLC0415
    from cdm_pipelines.steps.linking import explain as explain_links  # noqa: PLC0415 - commands load what they need

    charts = []
    for name, model in fitted.items():
        _show_model(name, model)
        charts.append(pictures.weights_chart(model, f"{name}: match weights (bits)"))
    for linkage in linkages:
        if own:
            _show_versions(linkage, own)
        share = unlinkable_share(linkage.table, linkage.policy, linkage.model)
        _say(f"{linkage.name}: {share:.1%} of records would not match a perfect copy of themselves")
        if linkage.pairs is not None:
            title = f"{linkage.name}: pairs from the review threshold on, by log2 odds"
            steps = explain_links.steps(linkage)
            charts.append(pictures.distribution_chart(steps, title, log2_odds(linkage.model.match)))
    return charts


def show_difference(
    fitted: "Mapping[str, LinkageModel]", other: str, own: "Settings | None"
) -> "list[Picture]":
    """Print what is different between models and another one (``explain_links.others``); returns charts of both."""
    from cdm_pipelines.linkage.explain.pictures import weights_chart  # noqa: PLC0415
    from cdm_pipelines.steps.linking import explain as explain_links  # noqa: PLC0415

    charts = []
    for name, former in explain_links.others(fitted, other, own).items():
        if former is None:
            _say(f"{name}: there is no former model")
        else:
            _difference(name, former, fitted[name])
            charts.append(weights_chart(former, f"{name}: match weights then (bits)"))
            charts.append(weights_chart(fitted[name], f"{name}: match weights now (bits)"))
    return charts


def restored(own: "Settings", fingerprint: str) -> None:
    """Bring a former model back and say so."""
    from cdm_pipelines.steps.linking import model_versions  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    found = model_versions.restore(Lake(own.lake_url), own, fingerprint)
    _say(f"{found.kind}: model {found.fingerprint} is back; the next run links with it")


def _say(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


def _show_model(name: str, model: "LinkageModel") -> None:
    from cdm_pipelines.linkage.model.remarks import remarks  # noqa: PLC0415
    from cdm_pipelines.linkage.report import parameters  # noqa: PLC0415

    rows = parameters(model)
    weights = [0.0, *(float(row["weight"]) for row in rows)]
    labels = model.training.get("labels")
    _say(
        f"{name}: fitted on {model.records:,} records{f' and {labels:,} labelled pairs' if labels else ''}; "
        f"1 of {1 / model.prior:,.0f} pairs is a match; accepted from probability {model.match:.4f} on; "
        f"fingerprint {model.fingerprint}"
    )
    steps = model.training.get("iterations")
    if steps:
        _say(
            f"{name}: the fit took {steps:,} steps{' and settled' if model.training.get('converged') else ''}"
        )
    for remark in remarks(model.training):
        _say(f"{name}: look at this: {remark}")
    table = [
        {
            **{key: str(row[key]) for key in ("comparison", "meaning")},
            **{key: f"{row[key]:.3g}" for key in ("m", "u", "related")},
            "bits": signed(row["weight"]),
            "": bar(0.0, float(row["weight"]), weights),
        }
        for row in rows
    ]
    show_rows("Weights", table, numeric=["m", "u", "related", "bits"])


def _show_versions(linkage: "Linkage", own: "Settings") -> None:
    """Former models of one kind of party, and whether the next run keeps today's."""
    from cdm_pipelines.contracts.model import PartyKind  # noqa: PLC0415
    from cdm_pipelines.steps.linking import model_versions  # noqa: PLC0415
    from cdm_pipelines.store.lake import Lake  # noqa: PLC0415

    former = model_versions.versions(Lake(own.lake_url), PartyKind(linkage.name))
    if former:
        _say(
            f"{linkage.name}: former models, the last one first: {', '.join(v.fingerprint for v in reversed(former))}"
        )
    if linkage.model.policy != linkage.policy.fingerprint:
        _say(f"{linkage.name}: the policy has changed since; the next run fits anew")


def _difference(name: str, then: "LinkageModel", now: "LinkageModel") -> None:
    from cdm_pipelines.linkage.model.difference import changes  # noqa: PLC0415

    _say(f"{name}: model {then.fingerprint} (then) and {now.fingerprint} (now)")
    summary = [
        {"": what, "then": before, "now": after}
        for what, before, after in (
            ("fitted on records", f"{then.records:,}", f"{now.records:,}"),
            ("matches, 1 of so many pairs", f"{1 / then.prior:,.0f}", f"{1 / now.prior:,.0f}"),
            ("share of related pairs", f"{then.related:.3g}", f"{now.related:.3g}"),
            ("accepted from probability", f"{then.match:.4f}", f"{now.match:.4f}"),
            ("policy", then.policy[:16], now.policy[:16]),
        )
    ]
    show_rows("Thresholds and prior", summary, numeric=["then", "now"])
    rows = [
        {
            "comparison": one.comparison,
            "level": one.meaning,
            **{
                f"{key} {when}": _figure(level, key)
                for key in ("m", "u", "weight")
                for when, level in (("then", one.then), ("now", one.now))
            },
            "change": "" if one.bits is None else signed(one.bits),
        }
        for one in changes(then, now)
    ]
    show_rows("Levels, the largest change of weight first", rows, numeric=list(rows[0])[2:] if rows else [])


def _figure(level: "Level | None", key: str) -> str:
    if level is None:
        return "-"
    return signed(level.weight) if key == "weight" else f"{getattr(level, key):.3g}"
