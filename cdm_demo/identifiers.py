"""Numbers with check digits: IBAN, VAT, chamber of commerce, Salesforce and SAP keys.

Belongs here: making numbers that are valid and, for different serials, different. Does not belong here: who gets
one. Account numbers and tax numbers are fictional; only their arithmetic is real.
"""

from functools import cache

import numpy as np

from cdm_demo.draws import Floats, Ints, Text, Weights, digits, permute, text

_BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_BANKS = ("INGB", "RABO", "ABNA", "SNSB", "ASNB", "KNAB", "BUNQ", "TRIO", "RBRB")
_BANK_WEIGHTS = (34, 30, 18, 6, 4, 3, 2, 2, 1)


def _letters(code: str) -> int:
    """A bank code as the number that the IBAN check takes it for: A is 10, Z is 35."""
    return int("".join(str(ord(letter) - 55) for letter in code))


def _eleven_proof(serial: Ints, modulus: int, key: int, width: int) -> Ints:
    """Numbers of ``width`` digits whose weighted digit sum (width, .., 2, 1) divides by 11.

    The permuted serial gives all digits but the last two; of the ten or so completions that pass, one is taken.
    """
    head = permute(serial, modulus, key) + 10 ** (width - 3)
    total = np.zeros(len(head), dtype=np.int64)
    rest = head.copy()
    for weight in range(3, width + 1):
        total += rest % 10 * weight
        rest //= 10
    # 2 a + b must cancel the sum modulo 11; with a = 0 the b is 0..10, so take a = 1 where b would be 10.
    b = (-total) % 11
    a = np.where(b == 10, 1, 0)
    b = np.where(b == 10, 8, b)
    account: Ints = head * 100 + a * 10 + b
    return account


def iban(serial: Ints, uniform: Floats, countries: Text) -> Text:
    """IBANs; Dutch accounts pass the eleven test, Belgian ones have their own two check digits.

    Args:
        serial: Different for different accounts, below 50 million.
        uniform: Chooses the bank.
        countries: NL, BE or DE.
    """
    out = np.empty(len(serial), dtype=object)
    for country, make in (("NL", _iban_nl), ("BE", _iban_be), ("DE", _iban_de)):
        where = np.flatnonzero(countries == country)
        if len(where):
            out[where] = make(serial[where], uniform[where])
    return out


def _iban_nl(serial: Ints, uniform: Floats) -> Text:
    bank = Weights(_BANK_WEIGHTS).at(uniform)
    account = _eleven_proof(serial, 80_000_000, 101, 10)
    codes = np.array([_letters(name) for name in _BANKS], dtype=np.int64)[bank]
    remainder = codes % 97 * pow(10, 10, 97) + account
    check = 98 - (remainder % 97 * pow(10, 6, 97) + _letters("NL") * 100) % 97
    names = text(_BANKS)[bank]
    return text(
        [
            f"NL{c:02d}{name}{number:010d}"
            for c, name, number in zip(check.tolist(), names, account.tolist(), strict=True)
        ]
    )


def _iban_be(serial: Ints, uniform: Floats) -> Text:
    bank = np.array([310, 68, 735, 979], dtype=np.int64)[(uniform * 4).astype(np.int64)]
    body = bank * 10_000_000 + permute(serial, 10_000_000, 102)
    own = body % 97
    own = np.where(own == 0, 97, own)
    account = body * 100 + own
    check = 98 - (account % 97 * pow(10, 6, 97) + _letters("BE") * 100) % 97
    return text([f"BE{c:02d}{a:012d}" for c, a in zip(check.tolist(), account.tolist(), strict=True)])


def _iban_de(serial: Ints, uniform: Floats) -> Text:
    bank = np.array([32450000, 37050198, 40050150, 30050110], dtype=np.int64)[(uniform * 4).astype(np.int64)]
    account = permute(serial, 900_000_000, 103) + 1_000_000_000
    remainder = (bank % 97 * pow(10, 10, 97) + account) % 97
    check = 98 - (remainder * pow(10, 6, 97) + _letters("DE") * 100) % 97
    parts = zip(check.tolist(), bank.tolist(), account.tolist(), strict=True)
    return text([f"DE{c:02d}{b:08d}{a:010d}" for c, b, a in parts])


def vat(serial: Ints, countries: Text, *, sole: Ints) -> Text:
    """VAT numbers: Dutch ones by the eleven test or, for sole traders, by the rule of 2020 (modulo 97)."""
    out = np.empty(len(serial), dtype=object)
    for country in ("NL", "BE", "DE"):
        where = np.flatnonzero((countries == country) & ((country != "NL") | (sole == 0)))
        if len(where):
            out[where] = {"NL": _vat_rsin, "BE": _vat_be, "DE": _vat_de}[country](serial[where])
    where = np.flatnonzero((countries == "NL") & (sole == 1))
    if len(where):
        out[where] = _vat_sole(serial[where])
    return out


def _vat_rsin(serial: Ints) -> Text:
    """Nine digits with weights 9..2 and -1 for the last, which therefore is the sum modulo 11."""
    head = permute(serial, 80_000_000, 104) + 10_000_000
    total = np.zeros(len(head), dtype=np.int64)
    rest = head.copy()
    for weight in range(2, 10):
        total += rest % 10 * weight
        rest //= 10
    last = total % 11
    # A remainder of 10 has no check digit: adding 1 to the digit of weight 9 or taking 1 off lowers it by 2.
    first = head // 10_000_000
    head = np.where(last == 10, head + np.where(first < 9, 10_000_000, -10_000_000), head)
    last = np.where(last == 10, np.where(first < 9, 8, 1), last)
    return text([f"NL{h}{c}B01" for h, c in zip(head.tolist(), last.tolist(), strict=True)])


def _vat_sole(serial: Ints) -> Text:
    """``NL`` + nine digits + ``B`` + two digits, all of it read as a number being 1 modulo 97."""
    head = permute(serial, 800_000_000, 105) + 100_000_000
    base = _letters("NL") * 10**9 + head
    remainder = base % 97 * 10_000 + _letters("B") * 100
    check = (1 - remainder) % 97
    check = np.where(check < 2, check + 97, check)
    return text([f"NL{h}B{c:02d}" for h, c in zip(head.tolist(), check.tolist(), strict=True)])


def _vat_be(serial: Ints) -> Text:
    head = permute(serial, 5_000_000, 106) + 4_000_000
    check = 97 - head % 97
    return text([f"BE0{h}{c:02d}" for h, c in zip(head.tolist(), check.tolist(), strict=True)])


def _vat_de(serial: Ints) -> Text:
    """Eight digits and a check digit by ISO 7064 modulo 11, 10."""
    head = permute(serial, 80_000_000, 107) + 10_000_000
    product = np.full(len(head), 10, dtype=np.int64)
    for power in range(7, -1, -1):
        total = (head // 10**power % 10 + product) % 10
        total = np.where(total == 0, 10, total)
        product = 2 * total % 11
    check = (11 - product) % 10
    return text([f"DE{h}{c}" for h, c in zip(head.tolist(), check.tolist(), strict=True)])


def chamber_of_commerce(serial: Ints) -> Text:
    """KvK numbers: eight digits, no check digit."""
    return digits(permute(serial, 80_000_000, 108) + 10_000_000, 8)


def salesforce(prefix: str, serial: Ints) -> Text:
    """Record ids of eighteen characters, of which the last three spell the case of the others.

    Args:
        prefix: Of the object, three characters: 001 for an account, 003 for a contact.
        serial: Different for different records, below 62 ** 5.
    """
    number = permute(serial, 62**5, 109)
    pairs, case = _base62_pairs()
    low, middle, high = number % 3844, number // 3844 % 3844, number // 3844**2
    head = f"{prefix}7Q00002"
    # The first ten characters are the same for all, so only the last suffix letter varies.
    fixed = _suffix(head[:5]) + _suffix(head[5:])
    capitals = case[high] // 2 + case[middle] * 2 + case[low] * 8
    single = text([pair[1] for pair in pairs[:62]])
    short: Text = head + single[high] + pairs[middle] + pairs[low]
    whole: Text = short + fixed + text(list(_SUFFIX))[capitals]
    return whole


def _suffix(part: str) -> str:
    return _SUFFIX[sum(1 << i for i, letter in enumerate(part) if "A" <= letter <= "Z")]


@cache
def _base62_pairs() -> tuple[Text, Ints]:
    """All pairs of base-62 digits, and which of the two are capitals (1 the first, 2 the second)."""
    pairs = [a + b for a in _BASE62 for b in _BASE62]
    return text(pairs), np.array(
        [pair[0].isupper() + 2 * pair[1].isupper() for pair in pairs], dtype=np.int64
    )


def sap(serial: Ints, *, person: bool) -> Text:
    """SAP customer numbers of ten digits, organisations and persons in ranges of their own."""
    low, size = (200_000_000, 800_000_000) if person else (100_000_000, 100_000_000)
    return digits(permute(serial, size, 110 + person) + low, 10)


def shopify(serial: Ints) -> Text:
    """Shopify customer ids of thirteen digits."""
    return digits(permute(serial, 10**12, 112) + 6 * 10**12, 13)
