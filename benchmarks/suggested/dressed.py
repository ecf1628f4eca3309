"""Generated people in the clothes of real files: headers of other languages, dates in parts and in other forms.

Belongs here: what becomes of the columns of ``benchmarks.people``. Does not belong here: the people themselves, or
which of these files are measured (sets). Who a person is decides what is added (middle name, second surname, country);
a part of it is missing or mistyped in each record.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from benchmarks.people import generate

Frames = Mapping[str, pd.DataFrame]
_SEED = 7
_MIDDLE = "anne marie jane lee rose lynn grace mae ray dean wayne scott alan james john edward george henry louise may"
_SECOND = (
    "garcia lopez martin sanchez perez gomez ruiz diaz moreno alvarez romero alonso navarro torres ramos gil serrano "
    "blanco molina morales suarez ortega delgado castro ortiz rubio marin sanz iglesias nunez medina garrido cortes "
    "castillo santos lozano guerrero cano prieto mendez cruz calvo gallego vidal leon marquez herrera pena flores"
)


def dressed(kind: str, records: int) -> tuple[Frames, pd.DataFrame]:
    """Files by name, and the truth (``record_id``, ``truth_id``), of which the files hold nothing."""
    sources = 2 if kind in ("split_dates", "two_languages") else 1
    made = generate(records, seed=_SEED, sources=sources)
    frame, truth = made.records.to_pandas(), made.truth.to_pandas()
    rng = np.random.default_rng(_SEED)
    return _WARDROBE[kind](frame, truth["truth_id"], rng), truth


def _split_dates(frame: pd.DataFrame, _: "pd.Series[str]", __: np.random.Generator) -> Frames:
    """Two files with the date of birth in three columns and the house number as ``house``."""
    named = {"given_name": "fname", "surname": "lname", "house_number": "house", "postcode": "zip"}
    parts = _parts(frame["birth_date"], "by", "bm", "bd")
    whole = pd.concat([frame.drop(columns=["birth_date", "email", "phone"]), parts], axis=1)
    whole = whole.rename(columns=named)
    return _by_source(whole, {"s0": "census", "s1": "register"})


def _two_languages(frame: pd.DataFrame, _: "pd.Series[str]", __: np.random.Generator) -> Frames:
    """One file is Dutch with dates in parts, the other English with dates in one and a line of address."""
    dutch = {"given_name": "voornaam", "surname": "achternaam", "street": "straat", "house_number": "huisnr"}
    dutch |= {"postcode": "postcode", "city": "woonplaats", "email": "emailadres", "phone": "telefoon"}
    one = frame[frame["source"] == "s0"]
    parts = _parts(one["birth_date"], "geboortejaar", "geboortemaand", "geboortedag")
    crm = pd.concat([one.drop(columns=["birth_date", "source"]), parts], axis=1).rename(columns=dutch)
    other = frame[frame["source"] == "s1"]
    line = other["street"].fillna("").str.cat(other["house_number"].fillna(""), sep=" ").str.strip()
    shop = pd.DataFrame(
        {
            "record_id": other["record_id"],
            "First Name": other["given_name"],
            "Last Name": other["surname"],
            "Born": _written(other["birth_date"], lambda y, m, d: f"{int(d)}-{int(m)}-{y}"),
            "Address": line.mask(line == ""),
            "Zip": other["postcode"],
            "Town": other["city"],
            "E-mail": other["email"],
            "Phone": other["phone"],
        }
    )
    return {"crm": crm, "shop": shop}


def _german(frame: pd.DataFrame, _: "pd.Series[str]", __: np.random.Generator) -> Frames:
    """Dates as ``09031954``."""
    named = {"given_name": "Vorname", "surname": "Nachname", "birth_date": "Geb.-Datum", "street": "Straße"}
    named |= {
        "house_number": "Hausnr.",
        "postcode": "PLZ",
        "city": "Ort",
        "email": "Mailadresse",
        "phone": "Tel.",
    }
    day = _written(frame["birth_date"], lambda y, m, d: f"{d}{m}{y}")
    return {"kunden": frame.assign(birth_date=day).drop(columns="source").rename(columns=named)}


def _spanish(frame: pd.DataFrame, who: "pd.Series[str]", rng: np.random.Generator) -> Frames:
    """Two surnames, dates as ``9/3/1954``."""
    named = {
        "given_name": "nombre",
        "surname": "apellido1",
        "birth_date": "fecha_nacimiento",
        "street": "calle",
    }
    named |= {"house_number": "numero", "postcode": "codigo_postal", "city": "poblacion"}
    named |= {"email": "correo", "phone": "movil"}
    day = _written(frame["birth_date"], lambda y, m, d: f"{int(d)}/{int(m)}/{y}")
    second = _of_person(who, _SECOND, rng)
    dressed_ = frame.assign(birth_date=day).drop(columns="source").rename(columns=named)
    dressed_.insert(3, "apellido2", second)
    return {"clientes": dressed_}


def _american(frame: pd.DataFrame, who: "pd.Series[str]", rng: np.random.Generator) -> Frames:
    """Dates as ``3/9/54``, a middle initial, no e-mail."""
    day = _written(frame["birth_date"], lambda y, m, d: f"{int(m)}/{int(d)}/{y[2:]}")
    middle = _of_person(who, _MIDDLE, rng).str[0]
    people = pd.DataFrame(
        {
            "ID": frame["record_id"],
            "First": frame["given_name"],
            "MI": middle,
            "Last": frame["surname"],
            "DOB": day,
            "Street #": frame["house_number"],
            "Street": frame["street"],
            "City": frame["city"],
            "ZIP3": frame["postcode"].str[:3],
        }
    )
    return {"members": people}


def _names_and_more(frame: pd.DataFrame, who: "pd.Series[str]", rng: np.random.Generator) -> Frames:
    """Names, a date of birth, and region and country, which say little: one in fifteen is of another country."""
    abroad = who.map(lambda one: hash_of(one) % 15 == 0).to_numpy()
    surname = frame["surname"].mask(abroad, frame["surname"].str[::-1])
    region = frame["city"].fillna("").map(lambda city: f"region {hash_of(city) % 16:02d}")
    return {
        "people": pd.DataFrame(
            {
                "record_id": frame["record_id"],
                "fname": frame["given_name"],
                "sname": _of_person(who, _MIDDLE, rng),
                "surname": surname,
                "date": frame["birth_date"].str.replace("-", "/"),
                "region": region.mask(frame["city"].isna()),
                "country": np.where(abroad, who.map(lambda one: ("UA", "BY", "RO")[hash_of(one) % 3]), "PL"),
            }
        )
    }


def _without_headers(frame: pd.DataFrame, _: "pd.Series[str]", __: np.random.Generator) -> Frames:
    """Columns that are called by their number."""
    kept = ["record_id", "given_name", "surname", "birth_date", "postcode", "city", "email", "phone"]
    return {"export": frame[kept].set_axis([f"column{number}" for number in range(1, 9)], axis=1)}


def _years_only(frame: pd.DataFrame, who: "pd.Series[str]", rng: np.random.Generator) -> Frames:
    """Names, the year of birth alone, and an address without postcode."""
    return {
        "voters": pd.DataFrame(
            {
                "record_id": frame["record_id"],
                "firstname": frame["given_name"],
                "middlename": _of_person(who, _MIDDLE, rng),
                "lastname": frame["surname"],
                "housenum": frame["house_number"],
                "streetname": frame["street"],
                "city": frame["city"],
                "birthyear": frame["birth_date"].str[:4],
            }
        )
    }


_WARDROBE: Mapping[str, Callable[[pd.DataFrame, "pd.Series[str]", np.random.Generator], Frames]] = {
    "split_dates": _split_dates,
    "two_languages": _two_languages,
    "german": _german,
    "spanish": _spanish,
    "american": _american,
    "names_and_more": _names_and_more,
    "without_headers": _without_headers,
    "years_only": _years_only,
}
KINDS = tuple(_WARDROBE)


def hash_of(text: str) -> int:
    """A number that a text always has."""
    return sum((place + 1) * 131 * ord(sign) for place, sign in enumerate(text))


def _of_person(who: "pd.Series[str]", words: str, rng: np.random.Generator) -> "pd.Series[str]":
    """A word of each person; missing in a tenth of the records, another one in three of a hundred."""
    choice = words.split()
    own = {person: choice[int(rng.integers(len(choice)))] for person in sorted(who.unique())}
    values = who.map(own)
    wrong = rng.random(len(values)) < 0.03
    values = values.mask(wrong, pd.Series(rng.choice(choice, len(values)), values.index))
    found: pd.Series[str] = values.mask(rng.random(len(values)) < 0.1)
    return found


def _parts(dates: "pd.Series[str]", *names: str) -> pd.DataFrame:
    """Year, month and day as numbers without leading zeros."""
    split = dates.str.split("-", expand=True)
    return pd.DataFrame({name: split[place].str.lstrip("0") for place, name in enumerate(names)})


def _written(dates: "pd.Series[str]", form: Callable[[str, str, str], str]) -> "pd.Series[str]":
    return dates.map(lambda day: form(*day.split("-")), na_action="ignore")


def _by_source(frame: pd.DataFrame, names: Mapping[str, str]) -> Frames:
    return {name: frame[frame["source"] == source].drop(columns="source") for source, name in names.items()}
