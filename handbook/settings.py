"""The page of settings.

Belongs here: settings as a table. Does not belong here: what they are and mean (cdm_pipelines.settings).
"""

from typing import Final

from cdm_pipelines.settings import PREFIX, Settings


def settings_table() -> str:
    """The variables, their defaults and meanings as a Markdown table, for the documentation."""
    rows = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{PREFIX}{name.upper()}` | {_default(name)} | {field.description} |")
    return "\n".join(rows) + "\n"


_DEFAULTS_IN_WORDS: Final = {
    "home": "`.cdm` in the checkout",
    "landing_url": "`data/landing` in the checkout; `data/recent/landing` after `cdm demo --recent`",
    "lake_url": "`lake` in `CDM_HOME`",
    "policies": "those of the package",
    "threads": "one for each core",
    "console_proxies": "`127.0.0.1,::1`",
}


def _default(name: str) -> str:
    default = Settings.model_fields[name].default
    if name in _DEFAULTS_IN_WORDS:
        return _DEFAULTS_IN_WORDS[name]
    return "" if default in (None, ()) else f"`{default}`"
