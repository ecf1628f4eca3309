"""Consent: what somebody said about what may be done with data about them.

Belongs here: the attributes of a statement, and whom it names. Does not belong here: what follows from all statements
(privacy.consent), or how a ledger is kept (records.ledger).

The attributes are those of consent records in ISO/IEC TS 27560 (event state and time, purpose, method, notice and its
version, expiry, jurisdiction), as far as sources deliver them.
"""

from functools import partial

from cdm_pipelines.contracts.entity import (
    Attribute,
    Entity,
    EntityDeclaration,
    KeptAs,
    OfParty,
    SemanticType,
    ValueType,
    declare,
)

_T, _S = ValueType, SemanticType
_consent = partial(Attribute, Entity.CONSENT, group="consent", privacy="user.privacy_preferences")

CONSENT = declare(
    EntityDeclaration(
        entity=Entity.CONSENT,
        plural="statements of consent",
        description="What somebody allowed, refused, withdrew or objected to: purpose, channel, moment, evidence.",
        whose=OfParty(by=(("party_id", "record_id"),)),
        kept=KeptAs.LEDGER,
        attributes=(
            _consent(
                "statement_id",
                _T.TEXT,
                "Number of the statement; the key of the source's row where it has none.",
                key=True,
            ),
            _consent("party_id", _T.REFERENCE, "Record of the party that made it."),
            _consent(
                "party_email",
                _T.TEXT,
                "E-mail address that it is about.",
                privacy="user.contact.email",
                semantic=_S.EMAIL,
            ),
            _consent(
                "party_phone",
                _T.TEXT,
                "Phone number that it is about, E.164.",
                privacy="user.contact.phone_number",
                semantic=_S.PHONE,
            ),
            _consent(
                "token",
                _T.TEXT,
                "Browser or device that it is about.",
                privacy="user.device.cookie_id",
                semantic=_S.TOKEN,
            ),
            _consent("purpose", _T.TEXT, "Purpose that it is about, by its key.", semantic=_S.PURPOSE),
            _consent(
                "channel",
                _T.TEXT,
                "email, phone, post, sms, visit, web, app or other; empty for every channel.",
                semantic=_S.CONSENT_CHANNEL,
            ),
            _consent("state", _T.TEXT, "given, refused, withdrawn or objected.", semantic=_S.CONSENT_STATE),
            _consent("stated_at", _T.TIMESTAMP, "When it was said; empty where the source does not tell."),
            _consent("expires_at", _T.TIMESTAMP, "When it ends; empty where it does not."),
            _consent("method", _T.TEXT, "How it was said: form, letter, call, in the source's words."),
            _consent("notice", _T.TEXT, "What was asked or read at that time: a text, or where it is."),
            _consent("notice_version", _T.TEXT, "Version of that text."),
            _consent(
                "double_opt_in",
                _T.BOOLEAN,
                "Whether it was confirmed where it has to be; empty where it has not.",
            ),
            _consent("jurisdiction", _T.TEXT, "Under which law it was said, in the source's words."),
        ),
    )
)
