"""The columns and the dialect of every demo extract, exactly as the files carry them.

Belongs here: header names in their order, and how each system writes a file. Does not belong here: what
stands in the cells (crm, erp, shop) or what the columns mean (the sources' contracts).

Salesforce writes API names, all cells quoted. SAP writes table KNA1 (a usual selection of its columns, with
the company's own ZZ fields) with semicolons and Windows line ends in code page 1252. Shopify writes a
byte-order mark and a leading apostrophe before long numbers. Google Analytics writes what its export to
BigQuery holds, an object per line, without the fields that are null.
"""

from dataclasses import dataclass
from typing import Literal

SOURCE_CRM = "crm"
SOURCE_ERP = "erp"
SOURCE_SHOP = "shop"
SOURCE_WEB = "web"
SOURCE_MAIL = "mail"
SOURCE_DESK = "desk"


@dataclass(frozen=True, slots=True)
class Extract:
    """One kind of file that a source delivers.

    Attributes:
        source: Name of the source.
        entity: Name of the entity within the source.
        key: Columns that identify a record.
        columns: Header, in order.
        delivery: A snapshot holds every record of that day; a delta holds what is new or changed.
        delimiter: Between cells.
        encoding: Of the file.
        quote_all: Whether every cell is quoted, or only those that need it.
        line_end: Of every line, the last included.
        form: csv with a header, or jsonl with an object per line.
    """

    source: str
    entity: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    delivery: Literal["snapshot", "delta"]
    delimiter: str = ","
    encoding: str = "utf-8"
    quote_all: bool = False
    line_end: str = "\n"
    form: Literal["csv", "jsonl"] = "csv"

    def path(self, date: str) -> str:
        """Path below the landing folder of the extract of a date (YYYY-MM-DD)."""
        return f"{self.source}/{self.entity}/{date}.{self.form}"


def _split(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.replace("\n", " ").split(",") if name.strip())


CRM_CONTACT = Extract(
    source=SOURCE_CRM,
    entity="contact",
    key=("Id",),
    columns=_split(
        """Id, IsDeleted, MasterRecordId, AccountId, LastName, FirstName, Salutation, Name, OtherStreet,
        OtherCity, OtherState, OtherPostalCode, OtherCountry, MailingStreet, MailingCity, MailingState,
        MailingPostalCode, MailingCountry, Phone, Fax, MobilePhone, HomePhone, OtherPhone, AssistantPhone,
        ReportsToId, Email, Title, Department, AssistantName, LeadSource, Birthdate, Description, OwnerId,
        CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp, LastActivityDate,
        LastCURequestDate, LastCUUpdateDate, EmailBouncedReason, EmailBouncedDate, Jigsaw, JigsawContactId,
        HasOptedOutOfEmail, DoNotCall, Deceased__c"""
    ),
    delivery="snapshot",
    quote_all=True,
)

CRM_ACCOUNT = Extract(
    source=SOURCE_CRM,
    entity="account",
    key=("Id",),
    columns=_split(
        """Id, IsDeleted, MasterRecordId, Name, Type, ParentId, BillingStreet, BillingCity, BillingState,
        BillingPostalCode, BillingCountry, Phone, Fax, AccountNumber, Website, Industry, Description, OwnerId,
        CreatedDate, CreatedById, LastModifiedDate, LastModifiedById, SystemModstamp, VAT_Number__c,
        KvK_Number__c"""
    ),
    delivery="snapshot",
    quote_all=True,
)

ERP_CUSTOMER = Extract(
    source=SOURCE_ERP,
    entity="customer",
    key=("KUNNR",),
    columns=_split(
        """KUNNR, MANDT, LAND1, NAME1, NAME2, ORT01, PSTLZ, REGIO, SORTL, STRAS, TELF1, TELFX, XCPDK, ADRNR,
        MCOD1, MCOD2, MCOD3, ANRED, AUFSD, BBBNR, BRSCH, ERDAT, ERNAM, FAKSD, KONZS, KTOKD, KUKLA, LIFNR,
        LIFSD, LOEVM, NAME3, NAME4, ORT02, PFACH, PSTL2, SPERR, SPRAS, STCD1, STCD2, TELBX, TELF2, LZONE,
        VBUND, STCEG, BRAN1, KATR1, KATR2, STKZN, CASSD, NODEL, AEDAT, ZZGBDAT, ZZSMTP, ZZIBAN"""
    ),
    delivery="snapshot",
    delimiter=";",
    encoding="cp1252",
    line_end="\r\n",
)

ERP_ORDER = Extract(
    source=SOURCE_ERP,
    entity="order",
    key=("VBELN",),
    columns=_split(
        """VBELN, KUNNR, ERDAT, ERZET, AUDAT, AUART, VKORG, VTWEG, SPART, BSTNK, GBSTK, WAERK, NETWR, MWSBP,
        BRTWR, AEDAT"""
    ),
    delivery="delta",
    delimiter=";",
    encoding="cp1252",
    line_end="\r\n",
)

ERP_ORDER_LINE = Extract(
    source=SOURCE_ERP,
    entity="order_line",
    key=("VBELN", "POSNR"),
    columns=_split("VBELN, POSNR, MATNR, ARKTX, MATKL, KWMENG, VRKME, NETPR, NETWR, WAERK"),
    delivery="delta",
    delimiter=";",
    encoding="cp1252",
    line_end="\r\n",
)

ERP_PAYMENT = Extract(
    source=SOURCE_ERP,
    entity="payment",
    key=("BELNR",),
    columns=_split("BELNR, BUKRS, GJAHR, VBELN, KUNNR, BLDAT, AUGDT, DMBTR, WAERS, ZLSCH"),
    delivery="delta",
    delimiter=";",
    encoding="cp1252",
    line_end="\r\n",
)

ERP_PRODUCT = Extract(
    source=SOURCE_ERP,
    entity="product",
    key=("MATNR",),
    columns=_split("""MATNR, MAKTX, MATKL, PRDHA, ZZMERK, KBETR, STPRS, WAERS, MEINS, ERSDA, LAEDA, LVORM"""),
    delivery="snapshot",
    delimiter=";",
    encoding="cp1252",
    line_end="\r\n",
)

ERP_INVOICE = Extract(
    source=SOURCE_ERP,
    entity="invoice",
    key=("VBELN",),
    columns=_split(
        """VBELN, AUBEL, KUNRG, FKART, FKDAT, ZTERM, NETDT, AUGDT, NETWR, MWSBK, WRBTR, WAERK, MANST, MADAT,
        ZZBETW, AEDAT"""
    ),
    delivery="delta",
    delimiter=";",
    encoding="cp1252",
    line_end="\r\n",
)

ERP_REFUND = Extract(
    source=SOURCE_ERP,
    entity="refund",
    key=("VBELN",),
    columns=_split(
        """VBELN, AUBEL, AUPOS, KUNRG, FKART, FKDAT, AUGRU, BEZEI, FKIMG, NETWR, MWSBK, WRBTR, WAERK"""
    ),
    delivery="delta",
    delimiter=";",
    encoding="cp1252",
    line_end="\r\n",
)

SHOP_CUSTOMER = Extract(
    source=SOURCE_SHOP,
    entity="customer",
    key=("Customer ID",),
    columns=_split(
        """Customer ID, First Name, Last Name, Email, Accepts Email Marketing, Default Address Company,
        Default Address Address1, Default Address Address2, Default Address City,
        Default Address Province Code, Default Address Country Code, Default Address Zip,
        Default Address Phone, Phone, Accepts SMS Marketing, Total Spent, Total Orders, Note, Tax Exempt,
        Tags"""
    ),
    delivery="delta",
    encoding="utf-8-sig",
)

SHOP_ORDER = Extract(
    source=SOURCE_SHOP,
    entity="order",
    key=("Name",),
    columns=_split(
        """Name, Email, Financial Status, Paid at, Fulfillment Status, Fulfilled at, Accepts Marketing,
        Currency, Subtotal, Shipping, Taxes, Total, Discount Code, Discount Amount, Shipping Method,
        Created at, Lineitem quantity, Lineitem name, Lineitem price, Lineitem compare at price,
        Lineitem sku, Lineitem requires shipping, Lineitem taxable, Lineitem fulfillment status,
        Billing Name, Billing Street, Billing Address1, Billing Address2, Billing Company, Billing City,
        Billing Zip, Billing Province, Billing Country, Billing Phone, Shipping Name, Shipping Street,
        Shipping Address1, Shipping Address2, Shipping Company, Shipping City, Shipping Zip,
        Shipping Province, Shipping Country, Shipping Phone, Notes, Note Attributes, Cancelled at,
        Payment Method, Payment Reference, Refunded Amount, Vendor, Outstanding Balance, Employee, Location,
        Device ID, Id, Tags, Risk Level, Source, Lineitem discount, Tax 1 Name, Tax 1 Value, Tax 2 Name,
        Tax 2 Value, Tax 3 Name, Tax 3 Value, Tax 4 Name, Tax 4 Value, Tax 5 Name, Tax 5 Value"""
    ),
    delivery="delta",
    encoding="utf-8-sig",
)

WEB_EVENT = Extract(
    source=SOURCE_WEB,
    entity="event",
    key=("event_id",),
    columns=_split(
        """event_date, event_timestamp, event_name, event_params, user_pseudo_id, user_id, device,
        traffic_source, items"""
    ),
    delivery="delta",
    form="jsonl",
)

MAIL_ACTIVITY = Extract(
    source=SOURCE_MAIL,
    entity="activity",
    key=("Activity ID",),
    columns=_split(
        "Activity ID, Email Address, Action, Timestamp, Campaign ID, Campaign Title, Subject, URL, Bounce Type"
    ),
    delivery="delta",
)

MAIL_CONSENT = Extract(
    source=SOURCE_MAIL,
    entity="consent",
    key=("Consent ID",),
    columns=_split(
        """Consent ID, Email Address, Visitor ID, Topic, Status, Timestamp, Source, Text version, Double opt-in"""
    ),
    delivery="delta",
)

DESK_TICKET = Extract(
    source=SOURCE_DESK,
    entity="ticket",
    key=("Update ID",),
    columns=_split(
        """Update ID, ID, Update, Updated at, Requester email, Requester phone, Via, Subject, Status,
        Created at, Solved at, Satisfaction Score"""
    ),
    delivery="delta",
)

INTERACTION_EXTRACTS: tuple[Extract, ...] = (WEB_EVENT, MAIL_ACTIVITY, MAIL_CONSENT, DESK_TICKET)
"""What customers and visitors do: many rows, written column by column (touches)."""

EXTRACTS: tuple[Extract, ...] = (
    CRM_CONTACT,
    CRM_ACCOUNT,
    ERP_CUSTOMER,
    ERP_ORDER,
    ERP_ORDER_LINE,
    ERP_PAYMENT,
    ERP_PRODUCT,
    ERP_INVOICE,
    ERP_REFUND,
    SHOP_CUSTOMER,
    SHOP_ORDER,
)
"""Every extract of parties and transactions, in the order in which summaries show them."""

PARTY_EXTRACTS: tuple[Extract, ...] = (CRM_CONTACT, CRM_ACCOUNT, ERP_CUSTOMER, SHOP_CUSTOMER)
"""The extracts whose records are parties: those that the truth covers."""
