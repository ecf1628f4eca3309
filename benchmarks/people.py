"""Made-up people for measuring linkage: who they are, and the records that several systems hold of them.

Belongs here: households, names and addresses with skewed frequencies, typing errors, missing values, and the truth,
kept apart. Does not belong here: anything of the demo's generator, on which the comparisons were designed.

People live in households: partners and children share an address, mostly a surname and at times a telephone or an
e-mail address; there are twins, and sons named after their fathers. Records of one person differ by typing errors,
short forms and initials, removals, marriages, other e-mail addresses, day and month swapped, and gaps.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

COLUMNS = (
    "given_name",
    "surname",
    "birth_date",
    "street",
    "house_number",
    "postcode",
    "city",
    "email",
    "phone",
)

Text = npt.NDArray[np.object_]
Ints = npt.NDArray[np.int64]

_WOMEN = (
    "mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy sandra ashley emily "
    "donna michelle carol amanda melissa deborah stephanie rebecca laura helen sharon cynthia kathleen amy "
    "angela anna ruth brenda pamela nicole katherine samantha christine emma catherine virginia rachel janet "
    "maria heather diane julie joyce victoria kelly christina joan evelyn lauren judith olivia frances martha "
    "cheryl megan andrea hannah jean alice jacqueline kathryn teresa gloria sara janice ann charlotte isabella "
    "grace denise amber marilyn danielle"
)
_MEN = (
    "james robert john michael david william richard joseph thomas christopher charles daniel matthew anthony "
    "mark donald steven andrew paul joshua kenneth kevin brian george timothy ronald edward jason jeffrey ryan "
    "jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory alexander "
    "patrick frank raymond jack dennis jerry tyler aaron jose adam nathan henry zachary douglas peter kyle noah "
    "ethan jeremy walter christian keith roger terry harry ralph sean jesse roy louis billy bruce eugene wayne "
    "dylan alan juan gabriel russell"
)
_SHORT_FORMS = (
    "patricia pat jennifer jenny elizabeth liz susan sue jessica jess deborah debbie rebecca becky katherine "
    "kate catherine cathy christine chris victoria vicky samantha sam kathleen kathy margaret peggy robert bob "
    "john jack michael mike david dave william bill richard dick joseph joe thomas tom christopher chris "
    "charles charlie daniel dan matthew matt anthony tony steven steve andrew andy kenneth ken ronald ron "
    "edward ted jeffrey jeff nicholas nick benjamin ben samuel sam gregory greg alexander alex patrick paddy "
    "timothy tim james jim"
)
_SURNAMES = (
    "smith johnson williams brown jones miller davis wilson anderson thomas taylor moore jackson martin lee "
    "thompson white harris clark lewis robinson walker young allen king wright scott hill green adams nelson "
    "baker hall campbell mitchell carter roberts turner phillips evans parker edwards collins stewart morris "
    "murphy cook rogers morgan cooper peterson reed bailey bell kelly howard ward cox richardson wood watson "
    "brooks bennett gray james hughes price myers foster sanders ross long powell sullivan russell fisher "
    "barnes butler simmons jordan reynolds hamilton"
)
_HEADS = (
    "ash beck bram brad cald carl chat craw dal dun east ellis fair farn garth glen hald har hart holl hunt ken "
    "kirk lang lin lock mar mel nor oak pem pres quin rad rams rother sel shel stan stock strat swin tar thorn "
    "tun ven wal war wes whit win wool yar aber bal cor drum fin inver kil mac pol tre al bel cer del er fer "
    "gal jor kal lor mor ner or per"
)
_MIDDLES = "a e i o ber den er in ing le man mer on ren ster ten wer"
_PLACES = (
    "bourne bridge bury by cliffe combe cott croft dale den don field ford gate ham head hurst ington kin land "
    "ley low man mond mont more ner ney over ridge sett shaw son stead stone ton vale wall ward well wick wood "
    "worth"
)
_DOMAINS = ("mail.example", "post.example", "inbox.example", "web.example", "home.example", "letters.example")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"

_TYPED = {
    "given_name": (_LETTERS, 1.0),
    "surname": (_LETTERS, 1.0),
    "birth_date": (_DIGITS, 0.6),
    "street": (_LETTERS, 1.0),
    "house_number": (_DIGITS, 0.3),
    "postcode": (_DIGITS, 0.4),
    "city": (_LETTERS, 0.7),
    "email": (_LETTERS, 0.4),
    "phone": (_DIGITS, 0.4),
}
"""What a typing error in a column puts in, and its chance as a factor on ``errors``."""

_MISSING = {
    "given_name": 0.01,
    "surname": 0.005,
    "birth_date": 0.15,
    "street": 0.06,
    "house_number": 0.06,
    "postcode": 0.08,
    "city": 0.05,
    "email": 0.35,
    "phone": 0.4,
}
"""Share of records without a value, when the gaps are the usual ones."""


@dataclass(frozen=True)
class People:
    """Records, and who they are of.

    Attributes:
        records: ``record_id``, ``source`` and the nine columns, all text, shuffled; an id tells nothing.
        truth: ``record_id``, ``truth_id``.
    """

    records: pa.Table
    truth: pa.Table


@dataclass(frozen=True)
class _Names:
    """Values, the frequent ones first: the n-th is drawn in proportion to (n + shift) ** -power (Mandelbrot)."""

    values: Text
    shift: float
    power: float

    def positions(self, rng: np.random.Generator, size: int) -> Ints:
        """Positions of ``size`` values."""
        upto = np.cumsum((np.arange(len(self.values)) + self.shift) ** -self.power)
        return np.searchsorted(upto / upto[-1], rng.random(size))

    def draw(self, rng: np.random.Generator, size: int) -> Text:
        """``size`` values."""
        return self.values[self.positions(rng, size)]


def generate(
    records: int,
    *,
    seed: int = 1,
    repeats: float = 0.35,
    errors: float = 0.06,
    sources: int = 1,
    gaps: float = 1.0,
    once_per_source: bool = False,
) -> People:
    """Make records of people.

    Args:
        records: How many.
        seed: The same seed gives the same records.
        repeats: Share of the records that are a further record of a person already there.
        errors: Chance, per value that could have one, of a typing error; other differences follow it.
        sources: Number of systems that hold records.
        gaps: Factor on the usual share of missing values.
        once_per_source: Whether a source has no person twice; then ``repeats`` goes as far as the sources allow.
    """
    rng = np.random.default_rng(seed)
    repeated = min(round(records * repeats), records - 1)
    if once_per_source:
        repeated = min(repeated, records * (sources - 1) // sources)
    persons = _persons(rng, records - repeated)
    who, source = _who(rng, records - repeated, repeated, sources, once_per_source=once_per_source)
    values = {name: column[who] for name, column in persons.items()}
    further = np.arange(records) >= records - repeated
    _change(rng, values, errors, further)
    for name, share in _MISSING.items():
        values[name][rng.random(records) < share * gaps] = None
    order = rng.permutation(records)
    ids = pa.array(_numbers(rng.permutation(records), "r{:08d}"))
    columns = {"record_id": ids, "source": pa.array(_numbers(source[order], "s{}"))}
    columns |= {name: pa.array(values[name][order], pa.string()) for name in COLUMNS}
    truth = {"record_id": ids, "truth_id": pa.array(_numbers(who[order], "p{}"))}
    return People(pa.table(columns), pa.table(truth))


def _who(
    rng: np.random.Generator, persons: int, repeated: int, sources: int, *, once_per_source: bool
) -> tuple[Ints, Ints]:
    """Person and source of every record; the first ``persons`` records are of a person each."""
    first, first_source = np.arange(persons), rng.integers(0, sources, persons)
    if once_per_source:
        further = np.repeat(first, sources - 1)
        other = (np.repeat(first_source, sources - 1) + np.tile(np.arange(1, sources), persons)) % sources
        chosen = rng.choice(len(further), repeated, replace=False)
        return np.concatenate([first, further[chosen]]), np.concatenate([first_source, other[chosen]])
    # Most people have one record, and few have many.
    eager = rng.gamma(0.6, size=persons)
    further = np.searchsorted(np.cumsum(eager) / eager.sum(), rng.random(repeated)).clip(0, persons - 1)
    return np.concatenate([first, further]), np.concatenate(
        [first_source, rng.integers(0, sources, repeated)]
    )


def _persons(rng: np.random.Generator, count: int) -> dict[str, Text]:
    """Who the people are: the nine columns, and others, which later records may have."""
    household, role = _households(rng, count)
    homes = int(household[-1]) + 1
    head = np.searchsorted(household, np.arange(homes))[household]  # the first person of each household
    woman = rng.random(count) < 0.5
    woman = np.where(role == 1, ~woman[head], woman)
    given = _given_names(rng, woman)
    junior = (role > 1) & ~woman & ~woman[head] & (rng.random(count) < 0.02)
    given[junior] = given[head[junior]]
    surnames = _surnames(count)
    family, maiden = surnames.draw(rng, homes), surnames.draw(rng, count)
    keeps = rng.random(count) < np.select([role == 0, role == 1], [0.0, 0.25], 0.06)
    surname = np.where(keeps, maiden, family[household])
    email, other_email = np.split(_emails(rng, np.tile(given, 2), np.tile(surname, 2)), 2)
    shared = (role > 0) & (rng.random(count) < 0.06)
    email[shared] = email[head[shared]]
    landline, mobile = _telephones(homes, "07{}"), _telephones(2 * count, "06{}")
    return {
        "given_name": given,
        "surname": surname,
        "birth_date": np.datetime_as_string(_birth_days(rng, household, role)).astype(object),
        **{name: column[household] for name, column in _addresses(rng, homes).items()},
        "email": email,
        "phone": np.where(rng.random(count) < 0.25, landline[household], mobile[:count]),
        "maiden": maiden,
        "other_email": other_email,
        "other_phone": mobile[count:],
    }


def _households(rng: np.random.Generator, count: int) -> tuple[Ints, Ints]:
    """Household and role of every person: 0 head, 1 partner, 2 and more children; households are consecutive."""
    sizes = rng.choice([1, 2, 3, 4, 5], size=count, p=[0.44, 0.31, 0.1, 0.1, 0.05])
    ends = np.cumsum(sizes)
    homes = int(np.searchsorted(ends, count)) + 1
    household = np.repeat(np.arange(homes), sizes[:homes])[:count]
    start = np.concatenate([[0], ends[: homes - 1]])
    return household, np.arange(count) - start[household]


def _birth_days(rng: np.random.Generator, household: Ints, role: Ints) -> npt.NDArray[np.datetime64]:
    count = len(household)
    heads = rng.integers(0, 22_000, int(household[-1]) + 1)  # days after 1930-01-01: born by 1990
    day = heads[household]
    day = np.where(role == 1, day + rng.normal(0, 1_400, count).astype(np.int64), day)
    day = np.where(role > 1, day + rng.integers(7_500, 13_500, count), day)
    twin = np.flatnonzero((role > 2) & (rng.random(count) < 0.03))
    day[twin] = day[twin - 1]
    return np.datetime64("1930-01-01") + day.clip(0, 34_500).astype("timedelta64[D]")


def _emails(rng: np.random.Generator, given: Text, surname: Text) -> Text:
    count = len(given)
    shapes = rng.integers(0, 4, count).tolist()
    numbers = (rng.integers(0, 200, count) - 80).tolist()
    domains = np.array(_DOMAINS, object)[rng.integers(0, len(_DOMAINS), count)]
    made = [
        f"{(g + '.' + s, g[0] + s, s + '.' + g[0], g + s[:3])[shape]}{number if number > 0 else ''}@{domain}"
        for g, s, shape, number, domain in zip(given, surname, shapes, numbers, domains, strict=True)
    ]
    # Nobody has another person's address by chance.
    again = pd.Series(made).groupby(made).cumcount().tolist()
    return np.array([m.replace("@", f"_{n}@") if n else m for m, n in zip(made, again, strict=True)], object)


def _telephones(count: int, shape: str) -> Text:
    """Numbers that look random, each another."""
    return _numbers(10_000_000 + np.arange(count) * 48_271_117 % 89_999_999, shape)


def _numbers(values: Ints, shape: str) -> Text:
    return np.array([shape.format(value) for value in values.tolist()], object)


def _invented(seed: int, count: int, known: str, tails: str) -> Text:
    """The known words, then as many invented ones as are needed, all different."""
    rng = np.random.default_rng(seed)
    heads, middles, ends = (np.array(words.split(), object) for words in (_HEADS, _MIDDLES, tails))
    made = dict.fromkeys(known.split())
    while len(made) < count:
        middle = np.where(rng.random(count) < 0.6, middles[rng.integers(0, len(middles), count)], "")
        words = heads[rng.integers(0, len(heads), count)] + middle + ends[rng.integers(0, len(ends), count)]
        made |= dict.fromkeys(words.tolist())
    return np.array(list(made)[:count], object)


def _surnames(persons: int) -> _Names:
    count = min(30_000, max(2_000, persons // 8))
    return _Names(_invented(11, count, _SURNAMES, _PLACES), 12.0, 1.05)


def _given_names(rng: np.random.Generator, woman: npt.NDArray[np.bool_]) -> Text:
    given = np.empty(len(woman), object)
    for mask, seed, known, tails in (
        (woman, 21, _WOMEN, "a ana elle ette ia ie ina ine isa lyn na ora"),
        (~woman, 22, _MEN, "an ard as en er ian ic in is on or us"),
    ):
        given[mask] = _Names(_invented(seed, 900, known, tails), 4.0, 1.15).draw(rng, int(mask.sum()))
    return given


def _addresses(rng: np.random.Generator, homes: int) -> dict[str, Text]:
    """One address a household. A postcode is one side of a street; three customers live in it, on average."""
    codes = max(1, homes // 3)
    towns = _invented(31, min(1_500, max(40, homes // 60)), "", "ton ham by mouth ford bury castle")
    town = np.sort(_Names(towns, 3.0, 0.9).positions(rng, codes))
    streets = _invented(41, 2_500, "high station church mill park victoria green london west north", _PLACES)
    name = _Names(streets, 5.0, 0.8).draw(rng, codes)
    street = (
        name
        + np.array([" street", " road", " lane", " avenue", " close", " drive"], object)[
            rng.integers(0, 6, codes)
        ]
    )
    number = np.arange(codes)
    area, last = 1000 + number * 8000 // codes, number * 97 % 676
    letters = np.array([a + b for a in _LETTERS.upper() for b in _LETTERS.upper()], object)
    where = rng.integers(0, codes, homes)
    house = _numbers(1 + (rng.gamma(1.3, 30, homes)).astype(np.int64), "{}")
    addition = rng.random(homes) < 0.06
    house[addition] += np.array(list("ABCD"), object)[rng.integers(0, 4, int(addition.sum()))]
    return {
        "street": street[where],
        "house_number": house,
        "postcode": (_numbers(area, "{}") + letters[last])[where],
        "city": towns[town][where],
    }


def _change(
    rng: np.random.Generator, values: dict[str, Text], errors: float, further: npt.NDArray[np.bool_]
) -> None:
    """Make the records of one person differ, in place."""
    count = len(further)

    def some(share: float, among: npt.NDArray[np.bool_] | None = None) -> Ints:
        chosen = rng.random(count) < min(share, 0.9)
        return np.flatnonzero(chosen if among is None else chosen & among)

    given, surname, born = values["given_name"], values["surname"], values["birth_date"]
    words = _SHORT_FORMS.split()
    short = dict(zip(words[::2], words[1::2], strict=True))
    rows = some(1.2 * errors)
    given[rows] = [short.get(name, name) for name in given[rows]]
    rows = some(0.3 * errors)
    given[rows] = [name[0] for name in given[rows]]
    rows = some(0.015, further)
    surname[rows] = values["maiden"][rows]
    rows = some(0.05 * errors)
    given[rows], surname[rows] = surname[rows], given[rows]
    moved, to = some(0.08, further), rng.integers(0, count, count)
    for name in ("street", "house_number", "postcode", "city"):
        values[name][moved] = values[name][to[moved]]
    rows = some(0.12, further)
    values["email"][rows] = values["other_email"][rows]
    rows = some(0.12, further)
    values["phone"][rows] = values["other_phone"][rows]
    rows = some(0.15 * errors)
    born[rows] = [f"{d[:5]}{d[8:]}-{d[5:7]}" if d[8:] <= "12" else d for d in born[rows]]
    rows = some(0.1 * errors)
    born[rows] = [f"{d[:4]}-01-01" for d in born[rows]]
    for name, (alphabet, factor) in _TYPED.items():
        rows = some(factor * errors)
        values[name][rows] = _mistyped(rng, values[name][rows], alphabet)


def _mistyped(rng: np.random.Generator, values: Text, alphabet: str) -> list[str]:
    """Each value with one character replaced, or where it is letters also left out, doubled or swapped."""
    kinds = rng.integers(0, 4, len(values)) if alphabet == _LETTERS else np.zeros(len(values), np.int64)
    places = rng.random(len(values)).tolist()
    signs = [alphabet[at] for at in rng.integers(0, len(alphabet), len(values)).tolist()]
    made = []
    for value, kind, place, sign in zip(values, kinds.tolist(), places, signs, strict=True):
        at = int(place * len(value))
        before, here, after = value[:at], value[at], value[at + 1 :]
        if not here.isalnum():
            made.append(value)
        elif kind == 0 or not after:
            made.append(before + sign + after)
        else:
            made.append(
                before + ("", here + here, after[0] + here)[kind - 1] + (after[1:] if kind == 3 else after)
            )
    return made
