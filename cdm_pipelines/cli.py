"""``cdm``, the command line: what can be asked of the pipeline outside the UI.

Belongs here: the list of commands. Does not belong here: the commands themselves (commands).
"""

import os
import sys

import typer

from cdm_pipelines.commands import (
    actions,
    audiences,
    backup,
    business_case,
    connectors,
    contracts,
    customers,
    demo,
    evaluate,
    explain,
    feed,
    kpis,
    maturity,
    measurements,
    operate,
    plan,
    privacy,
    profile,
    prune,
    quality,
    quarantine,
    reach,
    register,
    remove,
    report,
    roles,
    run,
    serve,
    steward,
    takeover,
    touch_points,
)
from cdm_pipelines.commands.terminal import told_to_people

app = typer.Typer(
    name="cdm",
    help="Customer Data Management: extracts in, golden customers in PostgreSQL out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel="Run")(demo.demo)
app.command(rich_help_panel="Run")(operate.up)
app.command(rich_help_panel="Run")(run.run)
app.command(rich_help_panel="Run")(run.ingest)
app.command(rich_help_panel="Run")(serve.serve)
app.add_typer(serve.token, name="token", rich_help_panel="Operate")
app.add_typer(quarantine.app, name="quarantine", rich_help_panel="Use")
app.command(rich_help_panel="Use")(customers.customer)
app.add_typer(profile.app, name="profile", rich_help_panel="Use")
app.add_typer(actions.app, name="actions", rich_help_panel="Use")
app.add_typer(customers.export, name="export", rich_help_panel="Use")
explain.app.command()(evaluate.evaluate)
explain.app.command()(evaluate.sample)
app.add_typer(feed.app, name="feed", rich_help_panel="Use")
app.add_typer(audiences.app, name="audience", rich_help_panel="Use")
app.add_typer(explain.app, name="link", rich_help_panel="Use")
app.add_typer(steward.app, name="steward", rich_help_panel="Use")
privacy.app.command()(reach.processing)
privacy.app.command()(reach.exposure)
app.add_typer(privacy.app, name="privacy", rich_help_panel="Use")
app.command(rich_help_panel="Set up")(contracts.suggest)
app.command("add-source", rich_help_panel="Set up")(connectors.add_source)
app.command("demo-data", rich_help_panel="Set up")(demo.demo_data)
app.command(rich_help_panel="Use")(measurements.measurements)
app.command(rich_help_panel="Use")(kpis.kpis)
app.command(rich_help_panel="Use")(maturity.maturity)
app.command("touch-points", rich_help_panel="Use")(touch_points.touch_points)
app.command(rich_help_panel="Use")(report.report)
app.command(rich_help_panel="Use")(quality.quality)
app.command("business-case", rich_help_panel="Use")(business_case.business_case)
app.command(rich_help_panel="Operate")(operate.check)
app.command(rich_help_panel="Operate")(operate.doctor)
app.command(rich_help_panel="Operate")(plan.plan)
app.command(rich_help_panel="Operate")(prune.prune)
app.command(rich_help_panel="Operate")(register.register)
app.command(rich_help_panel="Operate")(backup.backup)
app.command(rich_help_panel="Operate")(backup.restore)
app.command(rich_help_panel="Operate")(backup.verify)
app.add_typer(roles.app, name="roles", rich_help_panel="Operate")
app.command(rich_help_panel="Use")(roles.handbook)
app.add_typer(takeover.app, name="takeover", rich_help_panel="Operate")
app.command("remove-source", rich_help_panel="Operate")(remove.remove_source)
app.command(
    "dagster",
    rich_help_panel="Operate",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)(operate.dagster)


def main() -> None:
    """Entry point of the ``cdm`` script; what it and its children write is for the owner alone."""
    os.umask(0o077)
    try:
        with told_to_people():
            app()
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


if __name__ == "__main__":
    main()
