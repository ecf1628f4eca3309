"""``cdm serve`` and ``cdm token``: the console and API, and keys of programs that use it.

Belongs here: the commands and how they speak. Does not belong here: what is served (console).
"""

import datetime as dt
from typing import Annotated

import typer

from cdm_pipelines.commands.reading import login
from cdm_pipelines.commands.terminal import USAGE, console, errors, fail, hub, settings, show, told_to_people

token = typer.Typer(help="Keys of programs that use the API.", no_args_is_help=True)
_SCOPES = ("read", "match", "write")


def serve(
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; that of CDM_CONSOLE_URL when left out.", show_default=False),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Processes that answer side by side; CDM_CONSOLE_WORKERS when left out.",
            show_default=False,
        ),
    ] = None,
    *,
    local: Annotated[
        bool,
        typer.Option("--local", help="Sign in by one-time links, on this machine alone: for a first look."),
    ] = False,
) -> None:
    """Serve the console and the API until Ctrl-C."""
    from cdm_pipelines.console.house import House  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.console.server import links, port_of, prepare, serve  # noqa: PLC0415

    own = settings()
    if not local and own.oidc_issuer is None:
        fail(
            "Nobody could sign in: name a provider with CDM_OIDC_ISSUER, CDM_OIDC_CLIENT_ID and "
            "CDM_OIDC_CLIENT_SECRET (docs/console.md), or look around on this machine with --local.",
            USAGE,
        )
    with hub(own) as engine, told_to_people():
        for finding in prepare(engine, own):
            errors.print(f"! {finding}", style="yellow", markup=False)
        roles = House(own, engine).sights.names

        def ready() -> None:
            console.print(f"Console on {own.console_url} (Ctrl-C stops it)", markup=False)
            if local:
                console.print("Each link signs in once, within half an hour, on this machine:")
                for role, link in links(engine, own, roles).items():
                    console.print(f"  {role:<16} {link}", markup=False, soft_wrap=True)

        serve(engine, own, (host, port or port_of(own)), local=local, workers=workers, ready=ready)


@token.command("make")
def make_token(
    name: Annotated[str, typer.Argument(help="The program that uses it, such as webshop.")],
    role: Annotated[str, typer.Option(help="Role of policies/roles.yaml that it acts in.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, match or write; several are allowed.", show_default="read")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=730, help="Days that it lasts.")] = 90,
    per_minute: Annotated[int, typer.Option(min=1, max=1_000_000, help="Requests a minute.")] = 600,
) -> None:
    """Make a key; it is shown this once."""
    from cdm_pipelines.hub.console import make_token as make  # noqa: PLC0415 - commands load what they need
    from cdm_pipelines.privacy.roles import RolesPolicy  # noqa: PLC0415

    scopes = list(dict.fromkeys(scope or ["read"]))
    unknown = [one for one in scopes if one not in _SCOPES]
    if unknown:
        fail(f"There is no scope {unknown[0]}; choose from {', '.join(_SCOPES)}.", USAGE)
    if not name.strip() or not name.isprintable() or len(name) > 100:
        fail("Name the program in at most 100 characters.", USAGE)
    own = settings()
    with hub(own) as engine, engine.begin() as connection:
        RolesPolicy.load(own.policies).role(role)
        lasts = dt.timedelta(days=days)
        secret, made = make(
            connection, name.strip(), role, scopes, lasts=lasts, per_minute=per_minute, made_by=login()
        )
    errors.print(
        f"Key {made.token_id} of {made.name}, role {role}, may {', '.join(scopes)} until {made.ends_at:%Y-%m-%d}. "
        "It is kept nowhere: put it where the program finds it.",
        markup=False,
    )
    console.print(secret, markup=False, soft_wrap=True)


@token.command("list")
def list_tokens() -> None:
    """List all keys, without the keys themselves."""
    from cdm_pipelines.hub.console import tokens  # noqa: PLC0415 - commands load what they need

    with hub(settings()) as engine, engine.connect() as connection:
        found = tokens(connection)
    rows = [
        {
            "key": one.token_id,
            "program": one.name,
            "role": one.role,
            "may": ", ".join(one.scopes),
            "a minute": one.per_minute,
            "made by": one.made_by,
            "made": f"{one.made_at:%Y-%m-%d}",
            "ends": f"{one.ends_at:%Y-%m-%d}",
            "state": one.state,
        }
        for one in found
    ]
    show("Keys", rows, numeric=("key", "a minute"))


@token.command("revoke")
def revoke_token(
    number: Annotated[int, typer.Argument(help="Number of the key: see `cdm token list`.")],
) -> None:
    """Take a key back, at once and for good."""
    from cdm_pipelines.hub import console as keys  # noqa: PLC0415 - commands load what they need

    with hub(settings()) as engine, engine.begin() as connection:
        if not keys.revoke_token(connection, number):
            fail(f"There is no key {number} that is in use: see `cdm token list`.")
    console.print(f"Key {number} is taken back.")
