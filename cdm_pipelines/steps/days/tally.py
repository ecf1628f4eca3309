"""The counts of a source's day, and what the checks make of them.

Belongs here: adding up chunks, verdicts with what to do about them, the result of a day. Does not belong here: the
limits (quality.thresholds), the work on rows (chunks, source_day), how a result is shown (figures).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from cdm_pipelines.contracts import SourceContract
from cdm_pipelines.quality.damage import Lengths, lost_zeros
from cdm_pipelines.quality.rules import Rule
from cdm_pipelines.quality.thresholds import Thresholds, Verdict, accepted, judge
from cdm_pipelines.steps.days.chunks import Refined

_TOLD_REASONS = 3
_NO_RECORDS = (Rule.TOTALS, Rule.HEADER_AGAIN, Rule.UNJOINED)


@dataclass(frozen=True)
class DayResult:
    """What became of one day of one source entity.

    Attributes:
        date: Extract date.
        files: Paths below landing.
        read: Rows in the files.
        accepted: Rows that passed.
        quarantined: Rows that were rejected, superseded ones included.
        repaired: Accepted rows of which at least one cell was blanked, rewritten, shortened, moved or marked.
        reasons: Rejected rows by rule.
        repairs: Cells of accepted rows that were blanked, rewritten, shortened, moved or marked, by rule.
        new_columns: Columns that the contract does not declare.
        absent_columns: Optional columns of the contract that no file had.
        repeats: Quarantined rows of which a later row of the day has the key and says no other thing.
        copies: Files with the bytes of another one, which count once.
        notes: What was peculiar about the files, such as lines in another encoding, in words.
        standard: Rows per canonical entity.
        verdicts: Judgement of the checks that have thresholds.
        fingerprint: Of the files, the contract and the corrections.
        stopped: Whether a check forbade that the day went further than quarantine.
        kept_out: Rows of persons who were erased: they went nowhere, and are not among those read.
    """

    date: str
    files: tuple[str, ...]
    read: int
    accepted: int
    quarantined: int
    repaired: int
    reasons: Mapping[str, int]
    repairs: Mapping[str, int]
    new_columns: tuple[str, ...]
    absent_columns: tuple[str, ...]
    repeats: int
    copies: tuple[str, ...]
    notes: tuple[str, ...]
    standard: Mapping[str, int]
    verdicts: Mapping[str, Verdict]
    fingerprint: str
    stopped: bool
    kept_out: int = 0

    @property
    def reconciles(self) -> bool:
        """Rows read = rows accepted + rows quarantined (R3)."""
        return self.read == self.accepted + self.quarantined

    @property
    def sentence(self) -> str:
        """The counts in one line."""
        cells = ", ".join(f"{rule} {count:,}" for rule, count in sorted(self.repairs.items()))
        repaired = f"{self.repaired:,} repaired{cells and f': {cells}'}"
        counts = f"{self.read:,} rows read, {self.accepted:,} accepted ({repaired}), {self.quarantined:,} quarantined"
        repeats = f", of which {self.repeats:,} have the key of a later row" if self.repeats else ""
        again = (
            f"; {len(self.copies):,} files hold the bytes of another and count once" if self.copies else ""
        )
        kept_out = f"; {self.kept_out:,} of erased persons were kept out" if self.kept_out else ""
        return counts + repeats + again + kept_out


@dataclass(frozen=True)
class Yardstick:
    """The last accepted day before, and how many records it delivered."""

    date: str
    records: int


class Tally:
    """Counts over the chunks of a day, and the verdicts on them.

    Args:
        contract: Of the source entity.
        date: Extract date.
        thresholds: Limits.
        yardstick: What a snapshot is compared with; None where there is nothing.
        accept: Names of checks to which a person says yes.
        kept_out: Rows of erased persons, which are not among the chunks.
    """

    def __init__(
        self,
        contract: SourceContract,
        date: str,
        thresholds: Thresholds,
        yardstick: Yardstick | None,
        accept: Collection[str] = (),
        *,
        kept_out: int = 0,
    ) -> None:
        self._kept_out = kept_out
        self._contract, self._date = contract, date
        self._thresholds, self._yardstick, self._accept = thresholds, yardstick, accept
        self._verdicts: dict[str, Verdict] = {}
        self._rows: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._repairs: Counter[str] = Counter()
        self._standard: Counter[str] = Counter()
        self._lengths: Lengths = Counter()

    def add(self, refined: Refined) -> None:
        """Add a chunk."""
        self._rows.update(
            read=refined.read,
            accepted=refined.valid.num_rows,
            quarantined=refined.quarantine.num_rows,
            repaired=refined.repaired,
            repeated=refined.repeated,
        )
        self._reasons.update(refined.reasons)
        self._repairs.update(refined.repairs_by_rule)
        self._standard.update({str(entity): table.num_rows for entity, table in refined.standard.items()})
        self._lengths.update(refined.lengths)

    def judge(self, against_contract: Verdict) -> None:
        """Come to the verdicts."""
        found = {
            "contract": against_contract,
            "share_quarantined": self._share_quarantined(),
            "repeated_keys": self._repeated_keys(),
            "spreadsheet": self._spreadsheet(),
        }
        if self._yardstick is not None:
            found["volume"] = self._volume(self._yardstick)
        self._verdicts = accepted(found, self._accept)

    @property
    def records(self) -> int:
        """Rows of the day, those that a later one replaced left out."""
        return self._rows["read"] - self._reasons[Rule.SUPERSEDED]

    @property
    def stops(self) -> bool:
        """Whether the day must go no further than quarantine."""
        unaccounted = self._rows["read"] != self._rows["accepted"] + self._rows["quarantined"]
        return unaccounted or any(verdict.stops for verdict in self._verdicts.values())

    def _share_quarantined(self) -> Verdict:
        """Rows that a later one replaced are no rejected ones; rows of a file that another corrects do not count.

        Neither do rows that are no records: totals, the header once more, and what a joined file has besides.
        """
        superseded = self._reasons[Rule.SUPERSEDED]
        no_records = sum(self._reasons[rule] for rule in _NO_RECORDS)
        rejected = self._rows["quarantined"] - superseded - no_records
        counted = self._rows["read"] - (superseded - self._rows["repeated"]) - no_records
        share = rejected / counted if counted else 0.0
        text = f"{rejected:,} of {counted:,} rows quarantined ({share:.2%})"
        if superseded:
            text += f"; {superseded:,} more were replaced by a later row with the same key"
        verdict = judge(share, self._thresholds.share_quarantined, text)
        if verdict.passed:
            return verdict
        name = self._contract.name
        todo = (
            f"See `cdm quarantine show {name} --date {self._date}`; have the file corrected and delivered again, or "
            f"correct rows with `cdm quarantine export` and `retry`{self._or_accept(verdict, 'share_quarantined')}"
        )
        return replace(verdict, text=f"{verdict.text}. {self._why_rejected()}{todo}")

    def _why_rejected(self) -> str:
        """The commonest reasons, in words."""
        others = (Rule.SUPERSEDED, *_NO_RECORDS)
        rules = [(rule, rows) for rule, rows in self._reasons.items() if rule not in others]
        commonest = sorted(rules, key=lambda item: (-item[1], item[0]))[:_TOLD_REASONS]
        told = [f"{rows:,} {rule}: {Rule(rule).meaning}. {_fix(Rule(rule))}" for rule, rows in commonest]
        return "".join(f"{text} " for text in told)

    def _or_accept(self, verdict: Verdict, check: str) -> str:
        if not verdict.stops:
            return "."
        return (
            f". If it may be so: `cdm run --date {self._date} --source {self._contract.source} --accept {check}`, or "
            "another limit in policies/checks.yaml."
        )

    def _repeated_keys(self) -> Verdict:
        repeated, read = self._rows["repeated"], self._rows["read"]
        share = repeated / read if read else 0.0
        text = f"{repeated:,} of {read:,} rows have the key of a later row of their file ({share:.2%})"
        text += "; the last of each key counts" if repeated else ""
        if self._contract.repeated_key is not None:
            return Verdict(passed=True, severity="WARN", text=text, figure=share)
        verdict = judge(share, self._thresholds.repeated_keys, text)
        if verdict.passed:
            return verdict
        todo = (
            f"If records are repeated on purpose, write repeatedKey: last in the contract of {self._contract.name}; "
            "if not, find out why the source gives a key twice."
        )
        return replace(verdict, text=f"{verdict.text}. {todo}")

    def _spreadsheet(self) -> Verdict:
        """What a spreadsheet left; of leading zeros it can only be guessed."""
        told = [
            f"{rows:,} {rule}: {rule.meaning}"
            for rule in (Rule.SPREADSHEET, Rule.TRAILING_ZERO)
            if (rows := self._reasons[rule] + self._repairs[rule])
        ]
        told += [
            f"column {name}: {why}; leading zeros seem to be lost"
            for name, why in lost_zeros(self._lengths, self._contract).items()
        ]
        text = "; ".join(told)
        if told:
            text += ". Export these columns as text, and do not open the file in a spreadsheet in between."
        return Verdict(passed=not told, severity="WARN", text=text or "in order", figure=float(len(told)))

    def _volume(self, before: Yardstick) -> Verdict:
        """Compare a snapshot with the one before it: a file cut off between two rows looks like many deletions."""
        share = max(0.0, 1 - self.records / before.records) if before.records else 0.0
        text = f"{self.records:,} rows against {before.records:,} on {before.date}: {share:.1%} fewer"
        verdict = judge(share, self._thresholds.snapshot_shrink, text)
        if verdict.passed:
            return verdict
        todo = (
            f"Look whether the file is whole, and have it delivered again{self._or_accept(verdict, 'volume')}"
        )
        return replace(verdict, text=f"{verdict.text}. {todo}")

    def result(self, files: tuple[str, ...], raw: pa.Schema, fingerprint: str) -> DayResult:
        """What became of the day."""
        from cdm_pipelines.ingest import absent_columns, copies, new_columns, reading_notes  # noqa: PLC0415 - readers load in a run

        return DayResult(
            date=self._date,
            files=files,
            read=self._rows["read"],
            accepted=self._rows["accepted"],
            quarantined=self._rows["quarantined"],
            repaired=self._rows["repaired"],
            reasons=dict(self._reasons),
            repairs=dict(self._repairs),
            new_columns=tuple(new_columns(raw, self._contract)),
            absent_columns=tuple(absent_columns(raw)),
            repeats=self._reasons[Rule.SUPERSEDED],
            copies=tuple(copies(raw)),
            notes=tuple(reading_notes(raw)),
            standard=dict(self._standard),
            verdicts=self._verdicts,
            fingerprint=fingerprint,
            stopped=self.stops,
            kept_out=self._kept_out,
        )


def _fix(rule: Rule) -> str:
    """What to do, where that is the same in every column."""
    text = rule.fix()
    return "" if "{" in text else text
