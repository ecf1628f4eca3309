"""What customers are found by, kept in step with what is published.

Belongs here: writing ``golden.search`` and ``golden.search_word``. Does not belong here: what they hold (the view
``golden.search_source``), nor reading them (``search``).

Whole e-mail addresses, phone numbers and addresses of golden customers have indexes of their own in golden.customer.
The table holds what those do not: the words of names and towns, initials, years of birth, and the values that lost
against the golden ones.
"""

from sqlalchemy import Connection, exists, select, text
from sqlalchemy.schema import CreateIndex, DropIndex

from cdm_pipelines.hub.publication import Publication
from cdm_pipelines.hub.schema import customer, search

_SOURCE = "SELECT golden_id, terms FROM golden.search_source"
_CHANGED = "SELECT golden_id FROM golden.customer_version WHERE publication_id = :number"
_GONE = """
    DELETE FROM golden.search WHERE golden_id IN (
        SELECT golden_id FROM golden.customer_history h WHERE valid_to = :at
        AND NOT EXISTS (SELECT FROM golden.customer c WHERE c.golden_id = h.golden_id))"""
_RENEW = f"""
    INSERT INTO golden.search AS s (golden_id, terms) {_SOURCE} WHERE golden_id IN ({_CHANGED})
    ON CONFLICT (golden_id) DO UPDATE SET terms = excluded.terms WHERE s.terms IS DISTINCT FROM excluded.terms"""
# Many terms are quickest put into the index together; left in its list they would be read by every search.
_SORT_IN = "SELECT gin_clean_pending_list('golden.search_terms_idx')"
_WORDS = """
    INSERT INTO golden.search_word (word, customers, slips)
    SELECT word, customers, golden.search_slips(word) FROM (
        SELECT word, count(*) AS customers FROM golden.search, unnest(terms) AS term(word)
        WHERE word ~ '^[a-z0-9]' {changed} GROUP BY word OFFSET 0) found
    WHERE NOT EXISTS (SELECT FROM golden.search_word known WHERE known.word = found.word)"""


def refresh(connection: Connection, publication: Publication) -> None:
    """Bring the search tables in line with what the publication has changed; its history is written already."""
    if not connection.scalar(select(exists().select_from(search))):
        if connection.scalar(select(exists().select_from(customer))):
            _build(connection)
        return
    connection.execute(text(_GONE), {"at": publication.at})
    number = {"number": publication.number}
    if connection.execute(text(_RENEW), number).rowcount:
        connection.execute(text(_SORT_IN))
        connection.execute(text(_WORDS.format(changed=f"AND golden_id IN ({_CHANGED})")), number)


def forget_words(connection: Connection) -> int:
    """Remove words that no customer is found by any more; returns how many."""
    unused = """
        DELETE FROM golden.search_word AS known WHERE NOT EXISTS (
            SELECT FROM (SELECT DISTINCT unnest(terms) AS word FROM golden.search) AS used
            WHERE used.word = known.word)"""
    return int(connection.execute(text(unused)).rowcount)


def count_different(connection: Connection) -> int:
    """Customers that are found by something else than they should be."""
    counted = f"""
        SELECT count(*) FROM golden.search AS old FULL JOIN ({_SOURCE}) AS new USING (golden_id)
        WHERE old.terms IS DISTINCT FROM new.terms"""  # noqa: S608 - our own words
    return int(connection.scalar(text(counted)) or 0)


def _build(connection: Connection) -> None:
    """Fill the empty tables; as in a first publication, the index comes last, and the log need not hold the rows."""
    connection.execute(text("TRUNCATE golden.search, golden.search_word"))
    (index,) = search.indexes
    connection.execute(DropIndex(index))
    connection.execute(text(f"INSERT INTO golden.search {_SOURCE}"))
    connection.execute(CreateIndex(index))
    connection.execute(text(_WORDS.format(changed="")))
    connection.execute(text("ANALYZE golden.search, golden.search_word"))
