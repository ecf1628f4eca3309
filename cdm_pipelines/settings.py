"""Everything that can be configured: one frozen object, read from ``CDM_…`` variables at the edge.

Belongs here: the variables, their defaults, their checks and their documentation. Does not belong here: what
a company decides about data (the YAML under ``policies``). Nothing else in the project reads the environment.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX: Final = "CDM_"
_PACKAGE: Final = Path(__file__).resolve().parent


class SettingsError(ValueError):
    """The configuration cannot be used; the text names each variable, what is wrong and what to set."""


def root() -> Path:
    """Where default paths start: the checkout, or the current folder when the package is installed alone."""
    checkout = _PACKAGE.parent
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def place(value: str) -> str:
    """Make a plain path absolute; check that the protocol of anything else is known and can be used here.

    Raises:
        ValueError: It is not; the text says what to use.
    """
    if "://" not in value and "::" not in value:
        return str(_absolute(Path(value)))
    from fsspec.registry import get_filesystem_class  # noqa: PLC0415 - every command goes through here

    for link in value.split("::"):
        protocol = link.partition("://")[0]
        try:
            get_filesystem_class(protocol)
        except ValueError:
            raise ValueError(
                f"the protocol {protocol!r} is unknown; use a folder or a URL such as s3://bucket/folder"
            ) from None
        except ImportError as error:
            raise ValueError(f"the protocol {protocol!r} needs one more package: {error}") from None
        if "::" not in value and protocol != "memory" and not link.partition("://")[2].strip("/"):
            raise ValueError(f"{value!r} names no place; use a URL such as s3://bucket/folder")
    return value


def _place_if_any(value: str | None) -> str | None:
    return None if value is None else place(value)


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        near = get_close_matches(value, available_timezones(), n=1)
        hint = f"did you mean {near[0]}?" if near else "use a name such as Europe/Amsterdam"
        raise ValueError(f"{value!r} is no time zone; {hint}") from None
    return value


def _country(value: str) -> str:
    import pycountry  # noqa: PLC0415 - every command goes through here

    if len(value) != 2 or pycountry.countries.get(alpha_2=value.upper()) is None:
        raise ValueError(f"{value!r} is no ISO 3166 code of two letters, such as NL")
    return value.upper()


def _database_url(value: SecretStr) -> SecretStr:
    scheme, separator, _ = value.get_secret_value().partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise ValueError("use postgresql://user:password@host:5432/database (PostgreSQL 14 or later)")
    if value.get_secret_value().count("@") > 1:
        raise ValueError(
            "has more than one @: write special characters of the user and password percent-encoded (@ is %40, / is "
            "%2F, : is %3A)"
        )
    return value


def _web_address(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("https://", "http://")):
        raise ValueError("use an address that begins with https://")
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(
            "use scheme, host and port alone, such as https://customers.example.com: the console is at the root"
        )
    return f"{parts.scheme}://{parts.netloc}".lower()


def _provider(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}
    ):
        raise ValueError(
            "use an address that begins with https://; only a provider on this machine may do without"
        )
    return value.rstrip("/")


def _mailbox(value: str) -> str:
    name, _, domain = value.partition("@")
    if not name or not domain or any(character.isspace() for character in value):
        raise ValueError("use addresses such as data-team@example.com, with commas between them")
    return value


def _comma_separated(value: Any) -> Any:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _prefix(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,29}", value) or value.startswith("pg_"):
        raise ValueError("use at most 30 small letters, digits and _, such as cdm; not pg_")
    return value


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError(
            "use addresses or networks such as 10.0.0.7 or 10.0.0.0/24, with commas between them"
        ) from None
    return value


Url = Annotated[str, AfterValidator(place)]
Folder = Annotated[Path, AfterValidator(_absolute)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
Network = Annotated[str, AfterValidator(_network)]


RECENT: Final = "recent"
"""A folder of this name in ``CDM_HOME``: its landing is ``data/recent``, which `cdm demo --recent` made."""


def _demo_landing(home: Path) -> Path:
    """Extracts of the demo: those that end the day before it was run, or those of fixed days."""
    return root() / "data" / (f"{RECENT}/landing" if (home / RECENT).is_dir() else "landing")


class Settings(BaseSettings):
    """What can be configured; see each field's description; handbook.settings has all of them.

    Paths and folder URLs come out absolute, so that processes with other working folders agree.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    home: Folder = Field(
        default_factory=lambda: root() / ".cdm",
        description="Folder for what the project makes: embedded database, Dagster's files, lake.",
    )
    landing_url: Url = Field(
        default_factory=lambda data: str(_demo_landing(data["home"])),
        description="Where extracts arrive: a folder or any fsspec URL (`s3://…`, `sftp://…`).",
    )
    lake_url: Url = Field(
        default_factory=lambda data: str(data["home"] / "lake"),
        description="Where the tables between extract and database live: a folder or any fsspec URL.",
    )
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] | None = Field(
        default=None,
        description="PostgreSQL 14 or later for the hub and for Dagster, "
        "`postgresql://user:password@host/database`; without it an embedded server is started.",
    )
    postgres_bin: Folder | None = Field(
        default=None,
        description="Folder with `postgres` and `initdb` to use instead of the embedded server's own.",
    )
    wal_level: Literal["minimal", "replica", "logical"] = Field(
        default="minimal",
        description="How much the embedded server writes to its log: `replica` allows base backups and recovery to a "
        "point in time (`pg_basebackup`), `logical` change capture as well.",
    )
    archive_command: str | None = Field(
        default=None,
        description="PostgreSQL's `archive_command` for the embedded server, which keeps its log for recovery to a "
        "point in time, such as `test ! -f /backup/wal/%f && cp %p /backup/wal/%f`.",
    )
    policies: Folder = Field(
        default=_PACKAGE / "policies",
        description="Folder with the YAML that a company edits: linkage, survivorship, checks.",
    )
    protection_keys: Folder | None = Field(
        default=None,
        description="File with the keys under which values are encrypted (`policies/protection.yaml`); "
        "`privacy/protection.keys` under `CDM_HOME` when not set.",
    )
    role_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        default="cdm",
        description="Begins the names of the PostgreSQL roles that are made of `policies/roles.yaml` (`cdm_service`); "
        "give each deployment on one server its own.",
    )
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        default="Europe/Amsterdam", description="Time zone of times in extracts that name none."
    )
    default_country: Annotated[str, AfterValidator(_country)] = Field(
        default="NL",
        validate_default=False,  # the list of countries takes a while to read
        description="Country of phones and addresses that name none, where the contract says none.",
    )
    learn_from_decisions: bool = Field(
        default=True,
        description="Whether a linkage model that is fitted anew learns from what stewards decided about pairs.",
    )
    chunk_rows: int = Field(
        default=100_000, ge=1, description="Rows held in memory at a time; results do not depend on it."
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Threads for work that runs side by side; results do not depend on it.",
    )
    link_engine: Literal["local", "spark"] = Field(
        default="local",
        description="What links all records of a kind: this machine, or a Spark cluster; results do not depend on it.",
    )
    spark_remote: SecretStr | None = Field(
        default=None,
        description="The Spark cluster: its Spark Connect server (`sc://host:15002`), or a master such as `local[2]` "
        "where PySpark is installed in full.",
    )
    spark_exchange: Annotated[str | None, AfterValidator(_place_if_any)] = Field(
        default=None,
        description="Folder or fsspec URL through which records go to that cluster and which it reaches under the same "
        "name, emptied after use; a temporary folder of this machine when not set.",
    )
    console_url: Annotated[str, AfterValidator(_origin)] = Field(
        default="http://127.0.0.1:3001",
        description="Where browsers reach the console (`cdm serve`): scheme, host and port, as people type it.",
    )
    dagster_url: Annotated[str, AfterValidator(_origin)] = Field(
        default="http://127.0.0.1:3000",
        description="Where browsers reach Dagster's UI: the console leads to the run that published a value.",
    )
    console_workers: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Processes that answer for the console side by side; one for each core when not set, at most 4.",
    )
    console_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default=("127.0.0.1", "::1"),
        description="Proxies in front of the console that are believed when they say where a request comes from "
        "(`X-Forwarded-For`): addresses or networks, with commas between them; one on this machine when not set.",
    )
    oidc_issuer: Annotated[str, AfterValidator(_provider)] | None = Field(
        default=None,
        description="OpenID Connect provider that people sign in to the console with: its issuer, "
        "`https://login.example.com/realm`.",
    )
    oidc_client_id: str | None = Field(default=None, description="Name of the console at that provider.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Secret of the console at that provider."
    )
    oidc_role_claim: str = Field(
        default="roles",
        min_length=1,
        description="Claim of the provider that lists somebody's roles, by their names in `policies/roles.yaml` or in "
        "PostgreSQL (`service` or `cdm_service`).",
    )
    run_retention_days: int = Field(
        default=90, ge=1, description="Days that Dagster keeps finished runs, with their events and logs."
    )
    notify_webhook: Annotated[SecretStr, AfterValidator(_web_address)] | None = Field(
        default=None, description="Address that gets a JSON message when a run fails (Slack, Teams, …)."
    )
    notify_email: Annotated[tuple[Mailbox, ...], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default=(), description="Mailboxes that get a message when a run fails, with commas between them."
    )
    smtp_host: str | None = Field(default=None, description="Mail server that sends those messages.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_user: str | None = Field(default=None, description="User name at the mail server.")
    smtp_password: SecretStr | None = Field(default=None, description="Password at the mail server.")
    smtp_from: Mailbox | None = Field(
        default=None, description="Sender of those messages; the first receiver when not set."
    )

    @model_validator(mode="after")
    def _archive_has_a_log(self) -> "Settings":
        if self.archive_command and self.wal_level == "minimal":
            raise ValueError(
                "CDM_ARCHIVE_COMMAND is set, and a minimal log cannot be archived; set CDM_WAL_LEVEL=replica"
            )
        return self

    @model_validator(mode="after")
    def _provider_knows_the_console(self) -> "Settings":
        given = (self.oidc_issuer, self.oidc_client_id, self.oidc_client_secret)
        if any(given) and not all(given):
            raise ValueError(
                "CDM_OIDC_ISSUER, CDM_OIDC_CLIENT_ID and CDM_OIDC_CLIENT_SECRET belong together; set all three"
            )
        return self

    @model_validator(mode="after")
    def _mail_has_a_server(self) -> "Settings":
        if self.notify_email and not self.smtp_host:
            raise ValueError(
                "CDM_NOTIFY_EMAIL is set and CDM_SMTP_HOST is not; set the name of the mail server"
            )
        return self

    def environment(self) -> dict[str, str]:
        """The variables, secret ones too, that give another process these settings."""
        variables = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            variables[_variable(name)] = "" if value is None else text
        return variables


def load_settings(**values: Any) -> Settings:
    """Read the settings from the environment; keyword arguments win over variables.

    Raises:
        SettingsError: a variable is unknown or has a value that cannot be used. Secret values are not shown.
    """
    problems = _unknown(os.environ)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems += [
            _problem(details)
            for details in error.errors(include_input=False, include_url=False)
            if details["type"] != "default_factory_not_called"  # a default that rests on another's bad value
        ]
    if problems:
        raise SettingsError("The configuration cannot be used:\n" + "\n".join(f"  - {p}" for p in problems))
    return settings


def _unknown(environment: Mapping[str, str]) -> list[str]:
    known = {_variable(name) for name in Settings.model_fields}
    problems = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.7)
            hint = (
                f"did you mean {near[0]}?" if near else "remove it, or see `cdm doctor` for those there are"
            )
            problems.append(f"{name} is no variable of this project; {hint}")
    return problems


def _problem(details: Any) -> str:
    message = details["msg"].removeprefix("Value error, ")
    return f"{_variable(str(details['loc'][0]))}: {message}" if details["loc"] else message


def _variable(field: str) -> str:
    return f"{PREFIX}{field.upper()}"
