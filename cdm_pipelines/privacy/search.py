"""The search of a role: a function with the rights of the pipeline that gives away nothing but golden ids.

Belongs here: from the policy to that function. Does not belong here: ranking, and what forgives more (steps.search).

Values that a role sees masked have no index that it could use, and a role may look for nothing that is hidden from it:
whoever could ask "is there somebody with this number" would read it by asking. A whole e-mail address, phone number,
address or order number finds who has it; a name finds who has all its words, and words like them where the role reads
names in clear: where it does not, they would tell it how to spell them.
"""

from cdm_pipelines.hub.role_schemas import RoleFunction, quoted
from cdm_pipelines.privacy.masks import nearest
from cdm_pipelines.privacy.roles import CLEAR, Role

NAME = "find"
_MOST = 100
_BY_NUMBER = """
    IF NOT done AND wanted ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
        SELECT array_agg(coalesce(g.alias_of, g.golden_id)) INTO ids FROM identity.golden_id g
        WHERE g.golden_id = wanted::pg_catalog.uuid AND g.status <> 'retired';
        done := true;
    END IF;
    IF NOT done THEN
        SELECT array_agg(DISTINCT x.golden_id) INTO ids FROM golden.crosswalk x WHERE x.record_id = wanted;
        done := ids IS NOT NULL;
    END IF;"""
_BY_ORDER = """
    IF NOT done THEN
        SELECT array_agg(DISTINCT o.golden_id) INTO ids FROM golden.customer_order o
        WHERE o.order_id = wanted AND o.golden_id IS NOT NULL;
        done := ids IS NOT NULL;
    END IF;"""
_BY_EMAIL = """
    IF NOT done AND position('@' IN wanted) > 1 THEN
        SELECT array_agg(f.golden_id) INTO ids FROM (
            SELECT c.golden_id FROM golden.customer c WHERE c.email = lower(wanted)
            UNION SELECT s.golden_id FROM golden.search s WHERE s.terms @> ARRAY['@' || lower(wanted)]) f;
        done := true;
    END IF;"""
_BY_PHONE = """
    IF NOT done AND wanted ~ '^[+(]?[0-9][-0-9 ()./]{{6,}}$' THEN
        number := regexp_replace(wanted, '[^+0-9]', '', 'g');
        number := CASE WHEN number LIKE '+%' THEN number WHEN number LIKE '00%' THEN '+' || substr(number, 3)
            ELSE '+{calling_code}' || ltrim(number, '0') END;
        SELECT array_agg(f.golden_id) INTO ids FROM (
            SELECT c.golden_id FROM golden.customer c WHERE c.phone = number OR c.mobile = number
            UNION SELECT s.golden_id FROM golden.search s WHERE s.terms @> ARRAY['+' || number]) f;
        done := true;
    END IF;"""
_BY_ADDRESS = """
    IF NOT done AND wanted ~* '^[1-9][0-9]{3} ?[a-z]{2}[ ,]+[0-9]{1,5}$' THEN
        code := left(wanted, 4) || ' ' || upper(substring(wanted from '^[0-9]{4} ?([A-Za-z]{2})'));
        number := substring(wanted from '([0-9]+)$');
        SELECT array_agg(f.golden_id) INTO ids FROM (
            SELECT c.golden_id FROM golden.customer c WHERE c.postcode = code AND c.house_number = number
            UNION SELECT s.golden_id FROM golden.search s WHERE s.terms @> ARRAY['#' || code || ' ' || number]) f;
        done := true;
    END IF;"""
_BY_WORDS = """
    IF NOT done THEN
        FOREACH word IN ARRAY golden.search_words(wanted) LOOP
            CONTINUE WHEN word = '';
            {alike}
            condition := condition || format(' AND s.terms && %L::text[]', group_of);
        END LOOP;
        IF condition <> '' THEN
            EXECUTE 'SELECT array_agg(f.golden_id) FROM (SELECT s.golden_id FROM golden.search s WHERE true'
                || condition || {mine} || ' LIMIT {most}) f' INTO ids;
        END IF;
    END IF;"""
_EXACT = "group_of := ARRAY[word];"
_ALIKE = """group_of := ARRAY[word] || coalesce(
                (SELECT array_agg(a.word) FROM golden.search_similar(ARRAY[word]) AS a), ARRAY[]::text[]);"""
_FUNCTION = """CREATE OR REPLACE FUNCTION "{schema}"."{name}"(typed text) RETURNS TABLE (golden_id uuid)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER ROWS {most} SET search_path = pg_catalog, pg_temp AS $find$
#variable_conflict use_column
DECLARE
    wanted text := btrim(left(typed, 300));
    done boolean := coalesce(wanted, '') = '';
    ids uuid[];
    number text;
    code text;
    word text;
    group_of text[];
    condition text := '';
BEGIN{branches}
    SELECT array_agg(f.golden_id ORDER BY f.golden_id) INTO ids FROM (
        SELECT DISTINCT i AS golden_id FROM unnest(ids) AS i WHERE i IN ({customers}) LIMIT {most}) f;
    INSERT INTO ops.access_log (who, role, purpose, tool, golden_ids, categories, rows)
    VALUES (session_user, {role}, {purpose}, {tool}, coalesce(ids, ARRAY[]::uuid[]), {categories},
            coalesce(cardinality(ids), 0));
    RETURN QUERY SELECT i FROM unnest(ids) AS i;
END
$find$"""


def search_function(name: str, role: Role, schema: str, customers: str, calling_code: int) -> RoleFunction:
    """The function ``find`` of a role.

    Args:
        name: Of the role.
        role: What it may.
        schema: Of its views.
        customers: A query for the golden ids of the customers that it sees.
        calling_code: Of the country of phone numbers that name none.
    """
    ways = [
        ("user.unique_id", _BY_NUMBER),
        ("user.behavior.purchase_history", _BY_ORDER),
        ("user.contact.email", _BY_EMAIL),
        ("user.contact.phone_number", _BY_PHONE.format(calling_code=calling_code)),
        ("user.contact.address.street", _BY_ADDRESS),
        (
            "user.name",
            _BY_WORDS.format(
                most=_MOST,
                mine=quoted(f" AND s.golden_id IN ({customers})"),
                alike=_ALIKE if nearest("user.name", role.reads) == CLEAR else _EXACT,
            ),
        ),
    ]
    used = [(category, branch) for category, branch in ways if role.may_find_by(category)]
    sql = _FUNCTION.format(
        schema=schema,
        name=NAME,
        most=_MOST,
        branches="".join(branch for _, branch in used),
        customers=customers,
        role=quoted(name),
        purpose=quoted(role.purposes[0]),
        tool=quoted(f"{schema}.{NAME}"),
        categories=f"ARRAY[{', '.join(quoted(category) for category, _ in used)}]::text[]",
    )
    return RoleFunction(
        NAME,
        "text",
        sql,
        "Golden ids of the customers whom a name, e-mail address, phone number, address or number finds.",
    )
