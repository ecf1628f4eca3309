"""The settings: what a person configures, and what is said when that cannot be used."""

import os
from pathlib import Path

import pytest

from cdm_pipelines.settings import Settings, SettingsError, load_settings
from handbook.settings import settings_table

SECRETS = {
    "CDM_DATABASE_URL": "postgresql://cdm:hush@db.example.com/cdm",
    "CDM_NOTIFY_WEBHOOK": "https://hooks.example.com/hush",
    "CDM_SMTP_PASSWORD": "hush",
}


def test_nothing_has_to_be_set() -> None:
    settings = load_settings()
    assert settings.home.is_absolute()
    assert settings.lake_url == str(settings.home / "lake")
    assert Path(settings.landing_url).is_absolute()
    assert settings.policies.is_dir()
    assert settings.database_url is None


def test_variables_are_read_and_paths_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CDM_HOME", "here")
    monkeypatch.setenv("CDM_LANDING_URL", "memory://landing")
    monkeypatch.setenv("CDM_DEFAULT_COUNTRY", "be")
    monkeypatch.setenv("CDM_NOTIFY_EMAIL", "data@example.com, ops@example.com")
    monkeypatch.setenv("CDM_SMTP_HOST", "mail.example.com")
    monkeypatch.setenv("CDM_DATABASE_URL", "")
    settings = load_settings()
    assert settings.home == tmp_path / "here"
    assert settings.lake_url == str(tmp_path / "here" / "lake")
    assert settings.landing_url == "memory://landing"
    assert settings.default_country == "BE"
    assert settings.notify_email == ("data@example.com", "ops@example.com")
    assert settings.database_url is None


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CDM_HOEM", "x", "CDM_HOEM is no variable of this project; did you mean CDM_HOME?"),
        ("CDM_XYZZY", "x", "CDM_XYZZY is no variable of this project; remove it"),
        (
            "CDM_TIMEZONE",
            "Europe/Amsterdm",
            "CDM_TIMEZONE: 'Europe/Amsterdm' is no time zone; did you mean Europe/A",
        ),
        ("CDM_TIMEZONE", "!!", "use a name such as Europe/Amsterdam"),
        ("CDM_DEFAULT_COUNTRY", "UK", "CDM_DEFAULT_COUNTRY: 'UK' is no ISO 3166 code of two letters"),
        ("CDM_LANDING_URL", "s4://bucket", "CDM_LANDING_URL: the protocol 's4' is unknown"),
        ("CDM_LANDING_URL", "simplecache::s4://bucket", "the protocol 's4' is unknown"),
        (
            "CDM_LAKE_URL",
            "gs://bucket",
            "CDM_LAKE_URL: the protocol 'gs' needs one more package: Please install gcsfs",
        ),
        ("CDM_DATABASE_URL", "mysql://cdm@host/cdm", "CDM_DATABASE_URL: use postgresql://"),
        ("CDM_CHUNK_ROWS", "0", "CDM_CHUNK_ROWS: Input should be greater than or equal to 1"),
        (
            "CDM_NOTIFY_WEBHOOK",
            "hooks.example.com",
            "CDM_NOTIFY_WEBHOOK: use an address that begins with https://",
        ),
        ("CDM_NOTIFY_EMAIL", "data@example.com", "CDM_SMTP_HOST is not; set the name of the mail server"),
        ("CDM_NOTIFY_EMAIL", "data", "CDM_NOTIFY_EMAIL: use addresses such as"),
    ],
)
def test_error_names_the_variable_and_what_to_set(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert said in str(raised.value)


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDM_HOMES", "x")
    monkeypatch.setenv("CDM_THREADS", "many")
    monkeypatch.setenv("CDM_SMTP_PORT", "0")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value).count("\n  - ") == 3


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    assert "hush" not in repr(load_settings()) + str(load_settings())
    monkeypatch.setenv("CDM_DATABASE_URL", "hush@db.example.com")
    monkeypatch.setenv("CDM_NOTIFY_WEBHOOK", "hush")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "hush" not in str(raised.value)


def test_another_process_gets_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(
        home=tmp_path,
        threads=3,
        notify_email=("data@example.com", "ops@example.com"),
        smtp_host="mail.example.com",
        smtp_password="hush",
        database_url="postgresql://cdm:hush@db.example.com/cdm",
    )
    os.environ.update(settings.environment())
    monkeypatch.chdir(tmp_path)
    assert load_settings() == settings


def test_table_documents_every_variable() -> None:
    table = settings_table()
    for name, field in Settings.model_fields.items():
        assert f"| `CDM_{name.upper()}` |" in table
        assert field.description
    assert str(Path.cwd()) not in table
    assert table.count("\n") == len(Settings.model_fields) + 2
