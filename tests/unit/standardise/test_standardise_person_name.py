"""Person names: what stands in the fields of a source, and the parts that it has."""

import pyarrow as pa
import pytest

from cdm_pipelines.standardise.distinct import TEXT
from cdm_pipelines.standardise.person import culture, gender_hint, person_names

SHORT = {
    "hon": "honorific",
    "title": "title",
    "given": "given_name",
    "middle": "middle_names",
    "ini": "initials",
    "prefix": "surname_prefix",
    "sur": "surname",
}


def read(fields: dict[str, str], country: str | None = "NL") -> dict[str, str]:
    """The parts of a name that are not null, by short name."""
    columns = {target: pa.array([value]) for target, value in fields.items()}
    names, _ = person_names(columns, culture(pa.array([country], TEXT)))
    return {short: value for short, name in SHORT.items() if (value := names[name][0].as_py()) is not None}


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("Jan", {"given": "Jan"}),
        ("JAN PETER", {"given": "Jan", "middle": "Peter"}),
        ("jan-peter", {"given": "Jan-Peter"}),
        ("J.P. (Jan Peter)", {"given": "Jan", "middle": "Peter", "ini": "J.P."}),
        ("J.P. 'Jan'", {"given": "Jan", "ini": "J.P."}),
        ("Johannes Petrus (Jan)", {"given": "Jan", "middle": "Johannes Petrus"}),
        ("J.P.", {"ini": "J.P."}),
        ("j p", {"ini": "J.P."}),
        ("JP", {"ini": "J.P."}),
        ("AJ", {"ini": "A.J."}),
        ("ED", {"given": "Ed"}),
        ("Jo", {"given": "Jo"}),
        ("J.-P.", {"ini": "J.P."}),
        ("Th.", {"ini": "Th."}),
        ("TH.M.", {"ini": "Th.M."}),
        ("Chr.J.", {"ini": "Chr.J."}),
        ("IJ.", {"ini": "IJ."}),
        ("Y.", {"ini": "Y."}),
        ("Jan P.", {"given": "Jan", "ini": "J.P."}),
        ("J.Peter", {"given": "Peter", "ini": "J.P."}),
        ("drs. Jan", {"title": "drs.", "given": "Jan"}),
        ("Mevr. A.", {"hon": "mrs", "ini": "A."}),
        ("Jan van der", {"given": "Jan", "prefix": "van der"}),
        ("María del Carmen", {"given": "María", "middle": "del Carmen"}),
        ("Zoë", {"given": "Zoë"}),
        ("Ng", {"given": "Ng"}),
        ("Ijsbrand", {"given": "IJsbrand"}),
        ("Jan en Marie", {"given": "Jan en Marie"}),
    ],
)
def test_first_names(delivered: str, expected: dict[str, str]) -> None:
    assert read({"given_name": delivered}) == expected


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("Jansen", {"sur": "Jansen"}),
        ("VAN DER BERG", {"prefix": "van der", "sur": "Berg"}),
        ("Van Der Meer", {"prefix": "van der", "sur": "Meer"}),
        ("Berg, van der", {"prefix": "van der", "sur": "Berg"}),
        ("Jong, de", {"prefix": "de", "sur": "Jong"}),
        ("'t Hart", {"prefix": "'t", "sur": "Hart"}),
        ("t Hart", {"prefix": "'t", "sur": "Hart"}),
        ("van 't Hof", {"prefix": "van 't", "sur": "Hof"}),
        ("van't Hof", {"prefix": "van 't", "sur": "Hof"}),
        ("in 't Veld", {"prefix": "in 't", "sur": "Veld"}),
        ("Op den Kamp", {"prefix": "op den", "sur": "Kamp"}),
        ("ter Horst", {"prefix": "ter", "sur": "Horst"}),
        ("ten Brinke", {"prefix": "ten", "sur": "Brinke"}),
        ("v.d. Berg", {"prefix": "v.d.", "sur": "Berg"}),
        ("v/d Berg", {"prefix": "v.d.", "sur": "Berg"}),
        ("Vander Meer", {"prefix": "van der", "sur": "Meer"}),
        ("d'Hondt", {"prefix": "d'", "sur": "Hondt"}),
        ("D'HONDT", {"prefix": "d'", "sur": "Hondt"}),
        ("D'Angelo", {"sur": "D'Angelo"}),
        ("O'NEIL", {"sur": "O'Neil"}),
        ("MCDONALD", {"sur": "McDonald"}),
        ("von Bülow", {"prefix": "von", "sur": "Bülow"}),
        ("El Idrissi", {"prefix": "el", "sur": "Idrissi"}),
        ("de la Fuente", {"prefix": "de la", "sur": "Fuente"}),
        ("Van", {"sur": "Van"}),
        ("Jansen - de Vries", {"sur": "Jansen-de Vries"}),
        ("JANSEN-DE VRIES", {"sur": "Jansen-de Vries"}),
        ("Jansen-De Vries", {"sur": "Jansen-de Vries"}),
        ("de Vries/Jansen", {"prefix": "de", "sur": "Vries-Jansen"}),
        ("van der Sloot-van 't Hof", {"prefix": "van der", "sur": "Sloot-van 't Hof"}),
        ("PIETERS VAN DEN BERG", {"sur": "Pieters van den Berg"}),
        ("Jansen geb. de Vries", {"sur": "Jansen-de Vries"}),
        ("de Vries e/v Jansen", {"sur": "Jansen-de Vries"}),
        ("Jansen wed. de Vries", {"prefix": "de", "sur": "Vries-Jansen", "title": "wed."}),
        ("Wed. Jansen", {"title": "wed.", "sur": "Jansen"}),
        ("Jansen MSc", {"title": "MSc", "sur": "Jansen"}),
        ("Jansen, Jr.", {"title": "Jr.", "sur": "Jansen"}),
        ("Jansen sr", {"title": "Sr.", "sur": "Jansen"}),
        ("Ma", {"sur": "Ma"}),
        ("J.P. van der Berg", {"ini": "J.P.", "prefix": "van der", "sur": "Berg"}),
        ("Mevr. de Vries", {"hon": "mrs", "prefix": "de", "sur": "Vries"}),
        ("ijpma", {"sur": "IJpma"}),
    ],
)
def test_surnames(delivered: str, expected: dict[str, str]) -> None:
    assert read({"family_name": delivered}) == expected
    assert read({"surname": delivered}) == expected


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("Dhr. J.P. van der Berg", {"hon": "mr", "ini": "J.P.", "prefix": "van der", "sur": "Berg"}),
        ("Berg, J.P. van der", {"ini": "J.P.", "prefix": "van der", "sur": "Berg"}),
        ("Berg, van der, J.P.", {"ini": "J.P.", "prefix": "van der", "sur": "Berg"}),
        ("Berg van der J.P.", {"ini": "J.P.", "prefix": "van der", "sur": "Berg"}),
        ("Jansen J.P.", {"ini": "J.P.", "sur": "Jansen"}),
        ("J.P.van der Berg", {"ini": "J.P.", "prefix": "van der", "sur": "Berg"}),
        ("J. v. Dijk", {"ini": "J.", "prefix": "van", "sur": "Dijk"}),
        ("Jan-Peter de Vries MSc", {"title": "MSc", "given": "Jan-Peter", "prefix": "de", "sur": "Vries"}),
        ("Jansen, Piet", {"given": "Piet", "sur": "Jansen"}),
        ("Jansen, dr. P.", {"title": "dr.", "ini": "P.", "sur": "Jansen"}),
        ("Jong, de", {"prefix": "de", "sur": "Jong"}),
        ("van der Berg", {"prefix": "van der", "sur": "Berg"}),
        ("JAN PETER JANSEN", {"given": "Jan", "middle": "Peter", "sur": "Jansen"}),
        (
            "J.P. (Jan Peter) van Dam",
            {"given": "Jan", "middle": "Peter", "ini": "J.P.", "prefix": "van", "sur": "Dam"},
        ),
        ("Jan Jansen - de Vries", {"given": "Jan", "sur": "Jansen-de Vries"}),
        ("A.B.C. de Vries-'t Hart", {"ini": "A.B.C.", "prefix": "de", "sur": "Vries-'t Hart"}),
        ("Anna Jansen geb. de Vries", {"given": "Anna", "sur": "Jansen-de Vries"}),
        ("J.P. Jansen Klomp", {"ini": "J.P.", "sur": "Jansen Klomp"}),
        ("Ben van Dam", {"given": "Ben", "prefix": "van", "sur": "Dam"}),
        ("Al Jansen", {"given": "Al", "sur": "Jansen"}),
        ("mr. J. Jansen", {"title": "mr.", "ini": "J.", "sur": "Jansen"}),
        ("Mevr. mr. drs. A. Jansen", {"hon": "mrs", "title": "mr. drs.", "ini": "A.", "sur": "Jansen"}),
        (
            "Prof. dr. ir. W.F. van den Bos",
            {"title": "prof. dr. ir.", "ini": "W.F.", "prefix": "van den", "sur": "Bos"},
        ),
        ("De heer en mevrouw Jansen", {"sur": "Jansen"}),
        ("Dhr./Mevr. P. Jansen", {"ini": "P.", "sur": "Jansen"}),
        ("Fam. Jansen", {"sur": "Jansen"}),
        ("T.a.v. de heer P. Bos", {"hon": "mr", "ini": "P.", "sur": "Bos"}),
        ("J. & M. Jansen", {"given": "J. & M.", "sur": "Jansen"}),
        ("Jansen", {"sur": "Jansen"}),
    ],
)
def test_full_names(delivered: str, expected: dict[str, str]) -> None:
    assert read({"full_name": delivered}) == expected


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        ("Mr. John Smith", {"hon": "mr", "given": "John", "sur": "Smith"}),
        ("J. Edgar Hoover", {"given": "Edgar", "ini": "J.E.", "sur": "Hoover"}),
        ("John F. Kennedy Jr.", {"title": "Jr.", "given": "John", "ini": "J.F.", "sur": "Kennedy"}),
        ("Smith, John", {"given": "John", "sur": "Smith"}),
        ("ОЛЕГ ИВАНОВ", {"given": "Олег", "sur": "Иванов"}),
        ("О.П. ИВАНОВ", {"ini": "О.П.", "sur": "Иванов"}),  # noqa: RUF001
        ("ΝΙΚΗ ΠΑΠΑΣ", {"given": "Νικη", "sur": "Παπας"}),  # noqa: RUF001
        ("NG WEI", {"given": "Ng", "sur": "Wei"}),
        ("JP SMITH", {"ini": "J.P.", "sur": "Smith"}),
        ("BŐK SMITH", {"given": "Bők", "sur": "Smith"}),
        ("Sra. María López", {"hon": "mrs", "given": "María", "sur": "López"}),
        ("Sr. Juan García", {"hon": "mr", "given": "Juan", "sur": "García"}),
        ("Exmo. Sr. João Silva", {"hon": "mr", "given": "João", "sur": "Silva"}),
        ("SR GARCÍA", {"ini": "S.R.", "sur": "García"}),
        ("Juan García Sr.", {"title": "Sr.", "given": "Juan", "sur": "García"}),
        ("Dott. Mario Rossi", {"title": "dott.", "given": "Mario", "sur": "Rossi"}),
        ("Sig.ra Anna Rossi", {"hon": "mrs", "given": "Anna", "sur": "Rossi"}),
        ("Dott.ssa Anna Rossi", {"title": "dott.ssa", "given": "Anna", "sur": "Rossi"}),
    ],
)
def test_full_names_elsewhere(delivered: str, expected: dict[str, str]) -> None:
    assert read({"full_name": delivered}, "US") == expected


@pytest.mark.parametrize(
    ("delivered", "country", "expected"),
    [
        ("Dhr.", "NL", {"hon": "mr"}),
        ("de heer", "NL", {"hon": "mr"}),
        ("Mevr. drs.", "NL", {"hon": "mrs", "title": "drs."}),
        ("mw", None, {"hon": "mrs"}),
        ("Ms.", "NL", {"hon": "mrs"}),
        ("Mx.", "NL", {"hon": "mx"}),
        ("Mr.", "NL", {"hon": "mr"}),
        ("MR.", "US", {"hon": "mr"}),
        ("Dhr. mr.", "NL", {"hon": "mr", "title": "mr."}),
        ("Prof. dr. ir.", "NL", {"title": "prof. dr. ir."}),
        ("De heer en mevrouw", "NL", {}),
        ("Dhr./Mevr.", "NL", {}),
        ("Firma", "NL", {}),
        ("Frau Dr.", "DE", {"hon": "mrs", "title": "dr."}),
        ("Sr.", "ES", {"hon": "mr"}),
        ("Sig.ra Dott.ssa", "IT", {"hon": "mrs", "title": "dott.ssa"}),
    ],
)
def test_salutations(delivered: str, country: str | None, expected: dict[str, str]) -> None:
    assert read({"salutation": delivered}, country) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"surname_prefix": "Van Der", "surname": "Berg"}, {"prefix": "van der", "sur": "Berg"}),
        ({"surname_prefix": "van der", "surname": "van der Berg"}, {"prefix": "van der", "sur": "Berg"}),
        ({"surname_prefix": "vd", "surname": "Berg"}, {"prefix": "v.d.", "sur": "Berg"}),
        (
            {"given_name": "Jan van", "family_name": "der Berg"},
            {"given": "Jan", "prefix": "van der", "sur": "Berg"},
        ),
        ({"initials": "jp", "given_name": "Jan"}, {"given": "Jan", "ini": "J.P."}),
        ({"given_name": "Jan", "middle_names": "P."}, {"given": "Jan", "ini": "J.P."}),
        ({"given_name": "Jan", "middle_names": "Peter"}, {"given": "Jan", "middle": "Peter"}),
        ({"title": "Drs", "family_name": "Jansen MSc"}, {"title": "drs. MSc", "sur": "Jansen"}),
        ({"salutation": "Dhr.", "full_name": "Mevr. A. Bos"}, {"hon": "mr", "ini": "A.", "sur": "Bos"}),
        ({"honorific": "Mevr.", "salutation": "Dhr."}, {"hon": "mrs"}),
    ],
)
def test_columns_complete_each_other(fields: dict[str, str], expected: dict[str, str]) -> None:
    assert read(fields) == expected


@pytest.mark.parametrize(
    ("fields", "odd"),
    [
        ({"given_name": "Jan2"}, {"given_name"}),
        ({"given_name": "Jan en Marie"}, {"given_name"}),
        ({"family_name": "jan@x.nl"}, {"surname"}),
        ({"family_name": "Van der Berg"}, set()),
        ({"full_name": "J. & M. Jansen"}, {"given_name"}),
        ({"family_name": "x" * 80}, {"surname"}),
    ],
)
def test_what_no_name_has_is_marked(fields: dict[str, str], odd: set[str]) -> None:
    columns = {target: pa.array([value]) for target, value in fields.items()}
    _, wrong = person_names(columns, pa.array([None], TEXT))
    assert {name for name, flags in wrong.items() if flags[0].as_py()} == odd


def test_an_honorific_hints_at_a_gender() -> None:
    assert gender_hint(pa.array(["mr", "mrs", "mx", None])).to_pylist() == ["male", "female", None, None]
