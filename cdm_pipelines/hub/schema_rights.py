"""Tables of the rights of persons: requests and their steps, what is restricted or kept by law, certificates.

Belongs here: columns and comments. Does not belong here: filling and asking them (``rights``).
"""

from sqlalchemy import BigInteger, Column, Date, DateTime, Identity, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from cdm_pipelines.hub.schema import column, comment_of, metadata, moment
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS

SCHEMA = "privacy"

request = Table(
    "request",
    metadata,
    Column(
        "request_id",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of("Number of the request.", OPERATIONS),
    ),
    column("kind", Text, "access, erase, restrict, object or rectify.", nullable=False),
    moment("received_at", "When it was received."),
    column("due_on", Date, "The day by which it is to be answered.", nullable=False),
    column("checked_by", Text, "Who made sure that the person is who asks.", nullable=False),
    column("state", Text, "open or done.", nullable=False),
    column("reason", Text, "Number or words of the request, without values."),
    column("policy", JSONB, "The policy that was in force when it was asked.", nullable=False),
    column("subject", JSONB, "Whose data it is about, while it is open; then empty.", "user"),
    column("closed_at", DateTime(timezone=True), "When it was done."),
    schema=SCHEMA,
    comment="Requests of persons about their data, and what became of them.",
)
request_step = Table(
    "request_step",
    metadata,
    column("request_id", BigInteger, "The request.", key=True),
    column("place", Text, "The place of the register, or the step.", key=True),
    column("rows", BigInteger, "Rows that left it.", nullable=False),
    column("how", Text, "How, in words.", nullable=False),
    column("done_at", DateTime(timezone=True), "When; empty where it is to be done once more."),
    schema=SCHEMA,
    comment="Steps of requests: one that was cut short goes on behind the last of them.",
)
restriction = Table(
    "restriction",
    metadata,
    column("source", Text, "Source system.", key=True),
    column("entity", Text, "Entity of the source system.", key=True),
    column("record_id", Text, "Record within it.", IDENTIFIER, key=True),
    column("purpose", Text, "Purpose that is off, by its key; empty for every purpose.", key=True),
    column("request_id", BigInteger, "The request by which it is restricted.", nullable=False),
    moment("since", "Since when."),
    schema=SCHEMA,
    comment="Source records that are kept and used for nothing, or not for a purpose that the person objected to.",
)
legal_hold = Table(
    "legal_hold",
    metadata,
    column("request_id", BigInteger, "The erasure that it was kept at.", key=True),
    column("number", BigInteger, "1, 2, 3 … within it.", key=True),
    column("what", Text, "Kind of document.", nullable=False),
    column("content", JSONB, "What has to be kept.", "user", nullable=False),
    column("reason", Text, "Law or rule that has it kept.", nullable=False),
    column("until", Date, "The first day on which it may go.", nullable=False),
    schema=SCHEMA,
    comment="What the law has kept of persons who were erased; for nobody but who answers for it.",
)
certificate = Table(
    "certificate",
    metadata,
    column("number", BigInteger, "1, 2, 3 … in the order of issue.", key=True),
    column("request_id", BigInteger, "The request.", nullable=False),
    column("issued_at", DateTime(timezone=True), "When it was issued.", nullable=False),
    column("content", JSONB, "What was erased where, and what was looked through after.", nullable=False),
    column("previous_hash", Text, "Hash of the certificate before; 64 zeros for the first.", nullable=False),
    column("hash", Text, "SHA-256 over the certificate and the hash before it.", nullable=False),
    schema=SCHEMA,
    comment="Certificates of erasures, as a chain of hashes without values.",
)
TABLES = (request, request_step, restriction, legal_hold, certificate)
