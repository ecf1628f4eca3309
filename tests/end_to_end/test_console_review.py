"""The page of stewards, in a real browser over a real run: fifty cases by keyboard, and what is seen on the way.

More is in doubt than in a company of this size: its policies have people look at pairs from 1 to 99.9 %, and at whoever
is held together by a link of less than 16 bits above that. Linkage itself is as ever.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from starlette.testclient import TestClient

from cdm_demo import generate
from cdm_pipelines.console.app import console
from cdm_pipelines.console.house import House
from cdm_pipelines.console.pages import review
from cdm_pipelines.console.pages.render import NOTHING
from cdm_pipelines.settings import load_settings

from .conftest import DAYS, Deployment
from .office import browsing, installed, served, signed_in
from .reviewing import ORDER, Office, foretold, home_of, most_alike, press, published, records_of, undecided

CASES = 50
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def office(deploy: Callable[..., Deployment], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    company = tmp_path_factory.mktemp("company")
    generate(customers=250, days=1, seed=11, out=company)
    made = deploy(company / "landing").settings
    policies = made.home / "policies"
    shutil.copytree(made.policies, policies)
    for kind in ("person", "organisation"):
        path = policies / "linkage" / f"{kind}.yaml"
        text = path.read_text(encoding="utf-8")
        for key, value in (("review", "0.01"), ("match", "0.999"), ("expected_false_matches", "0.001")):
            text = re.sub(rf"(?m)^  {key}: .*$", f"  {key}: {value}", text)
        path.write_text(text, encoding="utf-8")
    checks = policies / "checks.yaml"
    told = checks.read_text(encoding="utf-8")
    checks.write_text(re.sub(r"(?m)^  bridge: 2 ", "  bridge: 16 ", told), encoding="utf-8")
    given = {n: getattr(made, n) for n in ("home", "landing_url", "lake_url", "database_url", "threads")}
    settings = load_settings(**given, policies=policies)
    assert Deployment(settings).run(DAYS[0]) == 0
    with served(settings) as house, browsing() if installed() else nullcontext() as browser:
        yield Office(Deployment(house.settings), house.engine, house.settings.console_url, browser)


def test_fifty_cases_are_decided_by_keyboard(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    page = office.page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    before = office.waiting()
    assert before >= CASES + 5, office.home.query("SELECT doubt, count(*) FROM ops.review_item GROUP BY 1")
    page.goto(f"{office.url}/review")
    began, pressed = time.perf_counter(), []
    for number in range(CASES):
        offered = {str(one.get_attribute("data-key")) for one in page.query_selector_all("[data-key]")}
        wanted = "t" if "t" in offered else "dsdc"[number % 4]  # t: what is without effect is taken back
        key = wanted if wanted in offered else "c"
        press(page, key)
        pressed.append(key)
    seconds = (time.perf_counter() - began) / CASES
    with capsys.disabled():
        print(  # noqa: T201 - the figure is the point, and asserting it would be of the machine
            f"\n{CASES} cases by keyboard: {seconds:.2f} seconds a case, {3600 / seconds:,.0f} an hour"
        )
    assert wrong == []
    kinds = office.decisions()
    assert kinds.count("same") == pressed.count("s")
    assert kinds.count("different") >= pressed.count("d")
    assert kinds.count("undo") == pressed.count("t")
    stands = CASES - 2 * pressed.count("t")
    assert before - office.waiting() >= stands > CASES / 2
    assert f"{stands} decided today" in page.inner_text(".progress p")

    held = office.waiting()
    press(page, "z")
    assert "taken back" in page.inner_text(".progress p")
    assert office.decisions()[-1] == "undo"
    assert office.waiting() >= held
    assert f"{stands - 1} decided today" in page.inner_text(".progress p")


def test_who_is_not_sure_sees_the_case_again_at_the_end(office: Office) -> None:
    page = office.page()
    page.goto(f"{office.url}/review")
    first, waits = page.input_value("#choices [name=case]"), office.waiting()
    press(page, "u")
    assert page.input_value("#choices [name=case]") != first
    assert "1 put off" in page.inner_text(".progress p")
    assert office.waiting() == waits
    for _ in range(waits - 1):
        press(page, "u")
    assert page.input_value("#choices [name=case]") == first
    office.home.alter("DELETE FROM ops.put_off")


def test_a_case_shows_what_would_become_and_the_weight_that_was_published(office: Office) -> None:
    case = office.one(
        """SELECT item_id FROM ops.review_item JOIN golden.customer AS l ON l.golden_id = left_id
        JOIN golden.customer AS r ON r.golden_id = right_id
        WHERE waits AND doubt = 'pair' AND l.postcode <> r.postcode ORDER BY priority DESC, item_id LIMIT 1"""
    )
    _, left, right = case.split("/")
    page = office.page()
    page.goto(f"{office.url}/review?case={case}")
    weight = office.one(
        f"""SELECT max(l.weight) FROM golden.customer_link l JOIN golden.crosswalk x
        ON (x.source, x.entity, x.record_id) = (l.other_source, l.other_entity, l.other_record_id)
        WHERE l.golden_id = '{left}' AND x.golden_id = '{right}' AND NOT inside"""
    )
    rows = page.locator("table.waterfall tbody tr td.number").all_inner_texts()
    assert sum(map(float, rows[1:])) == pytest.approx(weight, abs=0.06)
    records = [
        int(office.one(f"SELECT record_count FROM golden.customer WHERE golden_id = '{one}'"))
        for one in (left, right)
    ]
    counted = page.locator(
        "tr", has=page.get_by_role("rowheader", name="source records", exact=True)
    ).locator("td")
    assert list(map(int, counted.all_inner_texts())) == [*records, sum(records)]
    assert page.locator("table.sides mark").count() > 0
    page.goto(f"{office.url}/customers/{left}")
    page.click("text=Review >> nth=-1")
    assert page.url == f"{office.url}/review/customer/{left}"


def test_what_the_role_reads_masked_is_masked_in_records_too(office: Office) -> None:
    numbers = office.home.query(
        "SELECT golden_id::text, iban FROM golden.customer WHERE iban IS NOT NULL LIMIT 5"
    )
    assert numbers
    page = office.page()
    for golden_id, iban in numbers:
        page.goto(f"{office.url}/review/customer/{golden_id}")
        shown = page.content()
        assert f"NL** **** {iban[-4:]}" in shown
        assert iban not in shown
        assert iban.lower() not in shown


def test_a_value_is_pinned_and_a_wrong_one_refused(office: Office) -> None:
    case = office.first()
    page = office.page()
    page.goto(f"{office.url}/review?case={case}")
    page.select_option("#attribute", "birth_date")
    page.fill("#value", "tomorrow")
    page.click("text=Set >> nth=-1")
    page.wait_for_selector(".progress .bad")
    assert office.decisions()[-1:] != ["set"]
    page.select_option("#attribute", "birth_date")
    page.fill("#value", "1971-02-03")
    page.click("text=Set >> nth=-1")
    page.wait_for_selector(".progress .good")
    assert office.decisions()[-1] == "set"
    assert page.input_value("#choices [name=case]") == case


def test_cases_alike_are_decided_at_once_and_taken_back_at_once(office: Office) -> None:
    page = office.page()
    waiting = office.home.query(
        f"SELECT item_id FROM ops.review_item WHERE waits AND doubt = 'pair' ORDER BY {ORDER}"
    )
    for (case,) in waiting:
        page.goto(f"{office.url}/review?case={case}")
        page.wait_for_selector("#alike-title ~ div details, #alike-title ~ div p.hint")
        if page.locator("#alike-title ~ div details").count():
            break
    else:
        pytest.fail("no two cases are alike")
    page.click("#alike-title ~ div summary")
    number, before, waits = (
        page.locator("input[type=checkbox]").count(),
        len(office.decisions()),
        office.waiting(),
    )
    assert number >= 2
    page.click("text=All chosen: different")
    page.wait_for_selector(".progress .good")
    assert office.decisions()[before:] == ["different"] * number
    assert office.waiting() == waits - number
    press(page, "z")
    assert office.decisions()[before + number :] == ["undo"] * number
    assert office.waiting() == waits


@pytest.mark.parametrize("language", ["en-GB", "nl-NL"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_keeps_anybody_out(office: Office, language: str, scheme: str) -> None:
    page = office.page(language, color_scheme=scheme)
    for path in ("/review", f"/review?case={office.first()}", f"/review?case={_single(office)}"):
        page.goto(office.url + path)
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []
        assert page.locator("html").get_attribute("lang") == language[:2]


def _single(office: Office) -> str:
    found = office.one(
        "SELECT golden_id::text FROM golden.customer ORDER BY record_count DESC, golden_id LIMIT 1"
    )
    return f"customer/{found}"


def test_a_case_says_how_many_records_it_does_not_show(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = _signed_in(office, House(office.settings, office.engine, local=True), "steward", "ann")
    case = _single(office)
    number = int(
        office.one(f"SELECT record_count FROM golden.customer WHERE golden_id = '{case.partition('/')[2]}'")
    )
    assert "more records" not in client.get("/review", params={"case": case}).text
    monkeypatch.setattr(review, "_MOST_RECORDS", 1)
    assert f"{number - 1} more records are not shown" in client.get("/review", params={"case": case}).text


def _signed_in(office: Office, house: House, role: str, who: str) -> TestClient:
    client = TestClient(console(house), base_url=office.url, headers={"origin": office.url})
    link = office.link(role)
    office.home.alter(f"UPDATE ops.session SET who = '{who}' WHERE state = 'link'")
    client.post(link)
    return client


def test_pages_are_read_and_cases_decided_without_a_script(office: Office) -> None:
    client = _signed_in(office, House(office.settings, office.engine, local=True), "steward", "ann")
    case, before = office.first(), office.waiting()
    assert 'value="same"' in client.get("/review", params={"case": case}).text
    answered = client.post("/review/decide", data={"case": case, "as": "different"}, follow_redirects=False)
    assert (answered.status_code, answered.headers["location"]) == (303, "/review")
    assert office.waiting() == before - 1
    again = client.post("/review/decide", data={"case": case, "as": "same"}, headers={"hx-request": "true"})
    assert "decided already" in again.text
    assert office.decisions()[-1] == "different"
    nul, next_one = "\x00", office.first()
    for path, form in (
        ("decide", {"case": f"pair{nul}/{next_one.partition('/')[2]}", "as": "same"}),
        ("decide", {"case": f"customer/{next_one.split('/')[1]}", "as": "different", "apart": f"a/b/{nul}"}),
        ("decide", {"case": "conflict/" + 40 * "9", "as": "undo"}),
        ("set", {"case": next_one, "customer": next_one.split("/")[1], "attribute": "surname", "value": nul}),
        ("proposal", {"proposal": 40 * "9", "as": "approve"}),
        ("decide-alike", {"case": [next_one] * 3, "as": "<script>"}),
    ):
        assert client.post(f"/review/{path}", data=form).status_code in {200, 404, 422}, path
    assert office.decisions()[-1] == "different"
    for role in ("service", "analyst", "engineer"):
        other = _signed_in(office, House(office.settings, office.engine, local=True), role, role)
        assert other.get("/review").status_code == 403
        assert other.post("/review/decide", data={"case": office.first(), "as": "same"}).status_code == 403


Pair = tuple[TestClient, TestClient]
PART = {"hx-request": "true"}


@pytest.fixture
def strict(office: Office, tmp_path: Path) -> House:
    """The company, where one proposes and another approves."""
    policies = tmp_path / "policies"
    shutil.copytree(office.settings.policies, policies)
    roles = yaml.safe_load((policies / "roles.yaml").read_text(encoding="utf-8"))
    roles["four_eyes"] = ["decisions"]
    (policies / "roles.yaml").write_text(yaml.safe_dump(roles), encoding="utf-8")
    return House(office.settings.model_copy(update={"policies": policies}), office.engine, local=True)


@pytest.fixture
def two(office: Office, strict: House) -> Iterator[Pair]:
    """Ann and Bob, who work there."""
    ann, bob = (_signed_in(office, strict, "steward", who) for who in ("ann", "bob"))
    yield ann, bob
    office.home.alter("DELETE FROM ops.proposal")


def _open_proposals(office: Office) -> list[int]:
    found = office.home.query("SELECT proposal_id FROM ops.proposal WHERE state = 'open' ORDER BY 1")
    return [int(number) for (number,) in found]


def _proposal(client: TestClient, first: int = 0) -> str:
    """The page of a proposal of others, without what belongs to its case."""
    page = client.get("/review", params={"of": "proposals", "from": first})
    assert page.status_code == 200
    return page.text


def test_four_eyes_by_policy(office: Office, two: Pair) -> None:
    ann, bob = two
    case, before = office.first(), office.decisions()
    said = ann.post("/review/decide", data={"case": case, "as": "same", "reason": "twins"}, headers=PART)
    assert "somebody else has to approve" in said.text
    assert f'value="{case}"' not in said.text
    (number,) = _open_proposals(office)
    own = ann.post("/review/proposal", data={"proposal": number, "as": "approve"}, headers=PART)
    assert "Somebody else approves" in own.text
    assert office.decisions() == before
    assert "1 proposed by others" in bob.get("/review").text
    assert "twins" in _proposal(bob)
    done = bob.post("/review/proposal", data={"proposal": number, "as": "approve"}, headers=PART)
    assert "is recorded" in done.text
    assert office.decisions() == [*before, "same"]
    assert office.one("SELECT decided_by FROM ops.proposal") == "bob"
    key = ann.post("/v1/decisions", json={"kind": "confirm", "customer": case.split("/")[1]})
    assert key.status_code == 409


@pytest.mark.parametrize(
    ("attribute", "value", "seen", "hidden"),
    [
        ("city", "Appingedam", "Appingedam", "nothing that is hidden"),
        ("iban", "NL91ABNA0417164300", "NL** **** 4300", "NL91ABNA0417164300"),
    ],
)
def test_whoever_approves_sees_the_value_whose_it_is_and_until_when(
    office: Office, two: Pair, *, attribute: str, value: str, seen: str, hidden: str
) -> None:
    ann, bob = two
    golden_id, surname = office.home.query(
        "SELECT golden_id::text, surname FROM golden.customer WHERE surname IS NOT NULL ORDER BY 1 LIMIT 1"
    )[0]
    wanted = {"attribute": attribute, "value": value, "expires": "2999-01-31", "customer": golden_id}
    ann.post("/review/set", data={"case": f"customer/{golden_id}", **wanted}, headers=PART)
    (number,) = _open_proposals(office)
    card = _proposal(bob).partition('aria-labelledby="proposed"')[2].partition("</section>")[0]
    assert [one for one in (seen, "2999-01-31", golden_id, surname) if one not in card] == []
    assert hidden not in _proposal(bob)
    bob.post("/review/proposal", data={"proposal": number, "as": "approve"}, headers=PART)
    assert office.decisions()[-1] == "set"
    decided = len(office.decisions())
    bob.post("/review/undo", headers=PART)
    card = _proposal(ann).partition('aria-labelledby="proposed"')[2].partition("</section>")[0]
    assert [one for one in (f"decision {decided}", "set", "bob", seen) if one not in card] == []
    assert hidden not in card


def test_whoever_approves_sees_the_records_that_a_split_sets_apart(office: Office, two: Pair) -> None:
    ann, bob = two
    golden_id, records = office.home.query(
        """SELECT golden_id::text, array_agg(source || '/' || entity || '/' || record_id ORDER BY 1)
        FROM golden.crosswalk GROUP BY 1 HAVING count(*) > 2 ORDER BY 1 LIMIT 1"""
    )[0]
    for apart in records[:3]:  # whichever the weakest link would set apart
        wanted = {"case": f"customer/{golden_id}", "as": "different", "apart": apart}
        ann.post("/review/decide", data=wanted, headers=PART)
        page = _proposal(bob)
        card = page.partition('aria-labelledby="proposed"')[2].partition("</section>")[0]
        assert [one for one in records if one in card] == [apart]
        assert f'B <span class="id">{apart}</span>' in page
        counted = page.partition(">source records</th>")[2].partition("</tr>")[0]
        assert re.findall(r"<td>(\d+)</td>", counted) == [
            *map(str, (len(records) - 1, 1)),
            str(len(records)),
        ]
        told = ann.post("/review/undo", headers=PART)
        assert "is taken back" in told.text
        assert f'value="customer/{golden_id}"' in told.text
        assert _open_proposals(office) == []


def test_no_proposal_stands_in_the_way_of_another(office: Office, two: Pair) -> None:
    ann, bob = two
    first, second = (
        item
        for (item,) in office.home.query(
            f"SELECT item_id FROM ops.review_item WHERE waits AND doubt = 'pair' ORDER BY {ORDER} LIMIT 2"
        )
    )
    ann.post("/review/decide", data={"case": first, "as": "different"}, headers=PART)
    ann.post("/review/decide", data={"case": "conflict/1", "as": "undo"}, headers=PART)
    ann.post("/review/decide", data={"case": second, "as": "different"}, headers=PART)
    gone, nobody, other = _open_proposals(office)
    office.home.alter(  # as after a run in which all of their records went
        f"""UPDATE ops.proposal SET subject = jsonb_build_object('golden_ids', ARRAY['{UUID(int=1)}'],
        'case', 'pair/{UUID(int=1)}/{UUID(int=2)}') WHERE proposal_id = {gone}"""
    )
    page = _proposal(bob)
    assert "is no more" in page
    assert 'value="reject"' in page
    assert 'value="approve"' not in page
    for number, following in ((gone, nobody), (nobody, other), (other, gone)):
        page = _proposal(bob, number)
        assert f'name="proposal" value="{number}"' in page
        assert 'value="reject"' in page
        onward = re.search(r"of=proposals&amp;from=(\d+)", page)
        assert onward is not None
        assert f'name="proposal" value="{following}"' in _proposal(bob, int(onward[1]))
    told = bob.post("/review/proposal", data={"proposal": nobody, "as": "reject"}, headers=PART)
    assert f'name="proposal" value="{other}"' in told.text
    bob.post("/review/proposal", data={"proposal": gone, "as": "reject"}, headers=PART)
    assert _open_proposals(office) == [other]


def test_proposals_are_approved_and_rejected_by_one_key(office: Office, strict: House, two: Pair) -> None:
    ann, _ = two
    cases = [
        item
        for (item,) in office.home.query(
            f"SELECT item_id FROM ops.review_item WHERE waits AND doubt = 'pair' ORDER BY {ORDER} LIMIT 2"
        )
    ]
    for case in cases:
        ann.post("/review/decide", data={"case": case, "as": "different"}, headers=PART)
    first, second = _open_proposals(office)
    before = office.decisions()
    with served(strict.settings) as house:
        page = signed_in(house, office.browser, "steward") if office.browser else pytest.skip("no browser")
        page.goto(f"{house.settings.console_url}/review?of=proposals")
        page.keyboard.press("n")
        page.wait_for_url("**/review?of=proposals&from=*")
        assert page.input_value("[name=proposal]") == str(second)
        press(page, "r")
        assert f"Proposal {second} is rejected" in page.inner_text(".progress p")
        assert page.input_value("[name=proposal]") == str(first)
        press(page, "a")
        assert "is recorded" in page.inner_text(".progress p")
    assert office.decisions() == [*before, "different"]
    states = office.home.query("SELECT proposal_id, state, decided_by FROM ops.proposal ORDER BY 1")
    assert states == [(first, "approved", "local steward"), (second, "rejected", "local steward")]


def test_what_a_case_foretells_is_what_the_next_run_publishes(office: Office) -> None:
    several = undecided(office)
    one, other = most_alike(office, several)
    page = office.page()
    page.goto(f"{office.url}/review/customer/{one}?with={other}")
    *_, together = foretold(page)
    both = records_of(page, "A") + records_of(page, "B")
    page.keyboard.press("s")
    page.wait_for_selector(".progress .good")

    for golden_id in [each for each in several if each not in {one, other}]:
        page.goto(f"{office.url}/review/customer/{golden_id}")
        *sides, whole = foretold(page)
        if len(sides) == 2 and all(side["orders"] not in {"0", NOTHING} for side in sides):
            break
    else:
        pytest.fail("no customer would have orders on both sides")
    assert sum(int(side["orders"]) for side in sides) == int(whole["orders"])
    apart = [records_of(page, "A"), records_of(page, "B")]
    page.keyboard.press("d")
    page.wait_for_selector(".progress .good")

    office.home.cdm("run", "--customers")
    assert published(office, home_of(office, both), together) == together
    assert [
        published(office, home_of(office, part), side) for part, side in zip(apart, sides, strict=True)
    ] == sides
