"""Tables of governance: who read what of whom, and the key of pseudonyms.

Belongs here: columns and comments. Does not belong here: filling them (``access_log``, ``role_access``).
"""

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, LargeBinary, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY

from cdm_pipelines.hub.schema import column, comment_of, metadata
from cdm_pipelines.store.categories import IDENTIFIER, OPERATIONS

access_log = Table(
    "access_log",
    metadata,
    Column(
        "access_id",
        BigInteger,
        Identity(always=True),
        primary_key=True,
        comment=comment_of("Number of the line.", OPERATIONS),
    ),
    Column(
        "accessed_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
        comment=comment_of("When it was read.", OPERATIONS),
    ),
    column("who", Text, "Login name of who read.", "user.account.username", nullable=False),
    column("role", Text, "Role that they acted in.", nullable=False),
    column("purpose", Text, "Purpose that they acted for.", nullable=False),
    column("tool", Text, "What they read with: a command, or a function of a role's schema.", nullable=False),
    column(
        "golden_ids",
        ARRAY(Uuid()),
        "Customers who were read of; empty where a whole table was.",
        IDENTIFIER,
        nullable=False,
    ),
    column("categories", ARRAY(Text()), "Privacy categories of what was read, never values.", nullable=False),
    column("rows", BigInteger, "How many customers or rows.", nullable=False),
    schema="ops",
    comment="Who read personal data through our own tools, in which role, for what, and of whom; no values.",
)
Index(None, access_log.c.accessed_at)
Index(None, access_log.c.golden_ids, postgresql_using="gin")

pseudonym_key = Table(
    "pseudonym_key",
    metadata,
    column("key_id", BigInteger, "1: there is one key.", key=True),
    column("inner_pad", LargeBinary, "Inner half of the key, as HMAC-SHA256 uses it.", nullable=False),
    column("outer_pad", LargeBinary, "Outer half.", nullable=False),
    schema="privacy",
    comment="Key of pseudonyms, made from the secret of the deployment; no role reads it.",
)
