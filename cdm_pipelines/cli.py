"""``cdm``, the command line: what can be asked of the pipeline outside the UI.

Belongs here: the list of commands. Does not belong here: the commands themselves (commands).
"""

import gc
import io
import os
import sys
from collections.abc import Mapping

import typer

from cdm_pipelines.commands.listing import Listed, group_of

RUN, USE, SET_UP, OPERATE = "Run", "Use", "Set up", "Operate"
COMMANDS: Mapping[str, Listed] = {
    "demo": Listed(
        RUN,
        "demo:demo",
        "Run every day of the demo extracts, publish the customers, and show what came of it.",
    ),
    "up": Listed(
        RUN,
        "operate:up",
        "Start Dagster's UI and daemon (schedules and sensors live) and the console, until Ctrl-C.",
    ),
    "run": Listed(
        RUN,
        "run:run",
        "Ingest a day, a range of days or, without one, what is new in landing; publish the customers that follow.",
    ),
    "ingest": Listed(
        RUN,
        "run:ingest",
        "Put one file into landing and run its day.",
    ),
    "serve": Listed(
        RUN,
        "serve:serve",
        "Serve the console and the API until Ctrl-C.",
    ),
    "token": Listed(
        OPERATE,
        "serve:token",
        "Keys of programs that use the API.",
    ),
    "quarantine": Listed(
        USE,
        "quarantine:app",
        "Rows that were rejected: list, show, correct, retry.",
    ),
    "customer": Listed(
        USE,
        "customers:customer",
        "Find a customer; with one match, show the records behind it and where each value came from.",
    ),
    "profile": Listed(
        USE,
        "profile:app",
        "What is worked out of golden customers, and with which models.",
    ),
    "actions": Listed(
        USE,
        "actions:app",
        "What to do next for customers, and what came of it.",
    ),
    "export": Listed(
        USE,
        "customers:export",
        "Write published tables to a file.",
    ),
    "feed": Listed(
        USE,
        "feed:app",
        "The change feed: what other systems are told of customers.",
    ),
    "audience": Listed(
        USE,
        "audiences:app",
        "Audiences: customers who are approached for a purpose.",
    ),
    "link": Listed(
        USE,
        "explain:app",
        "Find records that describe the same party: `cdm link FILE… --policy POLICY --out FOLDER`. The word "
        "`files` may be left out; a file that is named like a command is written ./explain.",
        also=("evaluate:evaluate", "evaluate:sample"),
    ),
    "steward": Listed(
        USE,
        "steward:app",
        "Decide about customers: same, different, confirmed, corrected.",
    ),
    "privacy": Listed(
        USE,
        "privacy:app",
        "Rights of persons: access, erasure, restriction, and certificates.",
        also=("requests:requests", "requests:certificate", "reach:processing", "reach:exposure"),
    ),
    "suggest": Listed(
        SET_UP,
        "contracts:suggest",
        "Profile a file and write first contracts to edit, one per entity in it, with how sure they are of each "
        "column.",
    ),
    "add-source": Listed(
        SET_UP,
        "connectors:add_source",
        "Put the contract and the component of a known system in place; nothing that is there is overwritten.",
    ),
    "demo-data": Listed(
        SET_UP,
        "demo:demo_data",
        "Make extracts of a CRM, an ERP, a web shop and what customers do, with the truth of who is who.",
    ),
    "measurements": Listed(
        USE,
        "measurements:measurements",
        "Show the last figures of an asset and its checks, with those before them; or of which assets there are any.",
    ),
    "kpis": Listed(
        USE,
        "kpis:kpis",
        "Show the nine key figures of the central customer view, and keep those of the newest month.",
    ),
    "maturity": Listed(
        USE,
        "maturity:maturity",
        "Show levels 1 to 5 for vision, data, technology, organisation and governance, with evidence for each.",
    ),
    "touch-points": Listed(
        USE,
        "touch_points:touch_points",
        "Show the touch points, how often people are recognised there, the gaps, and from which they go to which.",
    ),
    "report": Listed(
        USE,
        "report:report",
        "Write one page about customers, key figures, value, maturity, touch points and risks: HTML, works offline.",
    ),
    "quality": Listed(
        USE,
        "quality:quality",
        "Show the scorecards of sources and golden customers: quality by dimension, with trend, targets and owners.",
    ),
    "business-case": Listed(
        USE,
        "business_case:business_case",
        "Show what faults cost and better data brings a year: measured volumes x the company's own inputs.",
    ),
    "check": Listed(
        OPERATE,
        "operate:check",
        "Check contracts, policies, the data dictionary and the register of places without running anything.",
    ),
    "doctor": Listed(
        OPERATE,
        "operate:doctor",
        "Try everything the pipeline needs and say what to do about what is missing.",
    ),
    "plan": Listed(
        OPERATE,
        "plan:plan",
        "Show what changed policies would do to the customers; nothing is published.",
    ),
    "prune": Listed(
        OPERATE,
        "prune:prune",
        "Pack old days of the lake, and delete what policies/pruning.yaml and CDM_RUN_RETENTION_DAYS do not keep.",
    ),
    "register": Listed(
        OPERATE,
        "register:register",
        "Show every place that holds data: where, of whom, kept how long, how it is searched and erased.",
    ),
    "backup": Listed(
        OPERATE,
        "backup:backup",
        "Copy lake, hub and secret as they are at one moment, while the pipeline runs, and read the copy back.",
    ),
    "restore": Listed(
        OPERATE,
        "backup:restore",
        "Make lake, hub and secret what they were, in the CDM_HOME and database of the settings; then verify them.",
    ),
    "verify": Listed(
        OPERATE,
        "backup:verify",
        "Compare every file and table with what was written, the hub with the lake, and the chain of decisions.",
    ),
    "roles": Listed(
        OPERATE,
        "roles:app",
        "Who may see and change what: policies/roles.yaml and the database.",
    ),
    "handbook": Listed(
        USE,
        "roles:handbook",
        "Write a manual for every role as HTML: what the data means, what they may do, whom to ask.",
    ),
    "takeover": Listed(
        OPERATE,
        "takeover:app",
        "Take another company's customers in, and give them away again.",
    ),
    "remove-source": Listed(
        OPERATE,
        "remove:remove_source",
        "Take a source away, or days of it, also those that the lake has lost; and let the next run follow.",
    ),
    "dagster": Listed(
        OPERATE,
        "operate:dagster",
        "Run any Dagster command on this instance, for example `cdm dagster run list`.",
        passed_on=True,
    ),
}
"""By name, in the order of the help. Each is loaded when it is called: the help of all of them is there at once."""

_OBJECTS = 100_000
"""How many more there are before Python looks for garbage: modules make many, all of which stay."""

app = typer.Typer(
    name="cdm",
    cls=group_of(COMMANDS),
    help="Customer Data Management: extracts in, golden customers in PostgreSQL out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _cdm() -> None:
    pass


def main() -> None:
    """Entry point of the ``cdm`` script; what it and its children write is for the owner alone."""
    os.umask(0o077)
    gc.set_threshold(_OBJECTS)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may know no ✓, and a name be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            app()
        except Exception:
            from cdm_pipelines.commands.terminal import told_to_people  # noqa: PLC0415 - as commands do

            with told_to_people():
                raise
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    finally:
        gc.freeze()  # the process ends: Python would look through all that was loaded twice more for garbage


if __name__ == "__main__":
    main()
