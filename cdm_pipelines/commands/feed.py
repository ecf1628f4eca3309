"""``cdm feed``: what consumers are told of customers, how far each sink is, and what it did not take."""

from typing import TYPE_CHECKING, Annotated

import typer

from cdm_pipelines.commands.terminal import REFUSED, USAGE, console, fail, hub, settings, show

if TYPE_CHECKING:
    from cdm_pipelines.steps.customers.feed import Served

app = typer.Typer(help="The change feed: what other systems are told of customers.", no_args_is_help=True)

SinkOption = Annotated[str, typer.Option("--sink", help="Name of the sink in policies/change_feed.yaml.")]
EveryOption = Annotated[str, typer.Option("--sink", help="Only this sink.")]


@app.command()
def status() -> None:
    """Show how far every sink is."""
    from cdm_pipelines.steps.customers import feed  # noqa: PLC0415

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        rows = [
            {
                "sink": served.sink,
                "position": state.position if state else 0,
                "behind": served.behind,
                "dead letters": served.dead,
                "last moved": f"{state.updated_at:%Y-%m-%d %H:%M}" if state else "",
                "problem": served.problem,
            }
            for state, served in feed.status(connection, own)
        ]
    show("Sinks", rows, numeric=["position", "behind", "dead letters"])


@app.command()
def tail(
    number: Annotated[int, typer.Option("-n", min=1, help="How many events.")] = 10,
) -> None:
    """Show the newest events, the latest at the end, as consumers get them: JSON, one per line."""
    from cdm_pipelines.steps.customers import feed  # noqa: PLC0415

    own = settings()
    with hub(own) as engine, engine.connect() as connection:
        for line in feed.newest(connection, own, number):
            typer.echo(line)


@app.command()
def deliver(sink: EveryOption = "") -> None:
    """Tell sinks what they do not know yet."""
    from cdm_pipelines.steps.customers import feed  # noqa: PLC0415

    own = settings()
    with hub(own) as engine:
        _tell(feed.deliver(engine.connect, own, sink))


@app.command()
def replay(
    sink: SinkOption,
    position: Annotated[int, typer.Option("--from", min=1, help="First position to deliver.")],
) -> None:
    """Deliver everything from a position on, again or leaving out what is before; the sink is in use again."""
    from cdm_pipelines.steps.customers import feed  # noqa: PLC0415

    own = settings()
    with hub(own) as engine:
        _tell([feed.replay(engine.connect, own, sink, position)])


@app.command()
def dead(
    sink: EveryOption = "",
    limit: Annotated[int, typer.Option(min=1, help="Most dead letters to show.")] = 20,
) -> None:
    """Show the events that sinks did not take, and why."""
    from cdm_pipelines.hub import feed  # noqa: PLC0415

    with hub(settings()) as engine, engine.connect() as connection:
        letters = feed.dead_letters(connection, sink or None, limit)
    rows: list[dict[str, object]] = [
        {
            "sink": letter.sink,
            "position": letter.position,
            "customer": letter.golden_id,
            "attempts": letter.attempts,
            "error": letter.error,
        }
        for letter in letters
    ]
    show("Dead letters", rows, numeric=["position", "attempts"])


@app.command()
def retry(sink: SinkOption) -> None:
    """Send the dead letters of a sink again, then what is new; a sink that was disabled is in use again."""
    from cdm_pipelines.steps.customers import feed  # noqa: PLC0415

    own = settings()
    with hub(own) as engine:
        _tell([feed.retry(engine.connect, own, sink)])


def _tell(served: "list[Served]") -> None:
    """Say what came of a delivery; leave with an exit code when a sink does not know everything."""
    if not served:
        fail("No sinks: name one in policies/change_feed.yaml (docs/reference/change-feed.md).", USAGE)
    for one in served:
        console.print(f"{one.sink}: {one.delivered:,} events delivered", markup=False)
    unwell = [one.sentence for one in served if not one.well]
    if unwell:
        fail("\n".join(unwell), REFUSED)
