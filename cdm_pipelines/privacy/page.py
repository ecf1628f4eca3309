"""The answer to a request of access as one page that everybody can read.

Belongs here: the HTML: one file, no scripts, nothing from elsewhere. Does not belong here: the data, the words.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment

from cdm_pipelines.privacy.words import INTRODUCTION, NOTHING, SECTIONS, TITLE, Language

_PAGE = """<!doctype html>
<html lang="{{ language }}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 2rem; display: block; overflow-x: auto; }
th, td { border: 1px solid #bbb; padding: 0.3rem 0.5rem; text-align: left; vertical-align: top; }
th { background: #eee; }
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<p>{{ introduction }}</p>
<nav><ul>
{% for section in sections %}<li><a href="#{{ section.name }}">{{ section.title }}</a></li>
{% endfor %}</ul></nav>
{% for section in sections %}
<section id="{{ section.name }}">
<h2>{{ section.title }}</h2>
<p>{{ section.told }}</p>
{% for table in section.tables %}
<table>
{% if table.caption %}<caption>{{ table.caption }}</caption>{% endif %}
<thead><tr>{% for column in table.columns %}<th scope="col">{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody>
</table>
{% else %}<p>{{ nothing }}</p>{% endfor %}
</section>
{% endfor %}
</main>
</body>
</html>
"""


def page(
    content: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], language: Language, day: dt.date
) -> str:
    """The page.

    Args:
        content: By section (``words.SECTIONS``) its tables by name, each as rows.
        language: In which it is written.
        day: On which the data was read.
    """
    sections = [
        {
            "name": name,
            "title": words[language][0],
            "told": words[language][1],
            "tables": [
                _table(table, rows, alone=table == name)
                for table, rows in content.get(name, {}).items()
                if rows
            ],
        }
        for name, words in SECTIONS.items()
    ]
    template = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    return template.render(
        language=str(language),
        title=TITLE[language],
        introduction=INTRODUCTION[language].format(day=day),
        nothing=NOTHING[language],
        sections=sections,
    )


def _table(name: str, rows: Sequence[Mapping[str, Any]], *, alone: bool) -> dict[str, Any]:
    columns = [
        column
        for column in dict.fromkeys(column for row in rows for column in row)
        if any(row.get(column) not in (None, "") for row in rows)
    ]
    cells = [["" if row.get(column) is None else row[column] for column in columns] for row in rows]
    return {"caption": "" if alone else name, "columns": columns, "rows": cells}
