"""Mailchimp, HubSpot and Salesforce: files of contacts and of campaign members, for their import.

Belongs here: their columns. Does not belong here: systems that take hashes (``google``, ``meta``).

Mailchimp: mailchimp.com/help/format-guidelines-for-your-import-file: one e-mail address per contact, any order of
columns. HubSpot: knowledge.hubspot.com/import-and-export/set-up-your-import-file: contacts are told apart by Email.
Salesforce: the object CampaignMember of its object reference: CampaignId, one of ContactId and LeadId, Status; ids are
Salesforce's own, so a target names the source of ours whose keys they are.

``CDM ID`` is a field of the company's own there, by which a member is removed: the import asks once which field it is.
"""

from cdm_pipelines.publish.platforms.form import CAMPAIGN, KEY, RECORD, Form, FormColumn
from cdm_pipelines.publish.platforms.normalise import as_is, e164, lower, words

MAILCHIMP = Form(
    "mailchimp",
    "Mailchimp",
    1,
    ("https://mailchimp.com/help/format-guidelines-for-your-import-file/",),
    (
        FormColumn("Email Address", ("email",), lower),
        FormColumn("First Name", ("given_name",), as_is),
        FormColumn("Last Name", ("surname_prefix", "surname"), words),
        FormColumn("CDM ID", (KEY,), as_is),
    ),
    reached_by=frozenset({"Email Address"}),
    channels=frozenset({"email"}),
    key="CDM ID",
)
HUBSPOT = Form(
    "hubspot",
    "HubSpot",
    1,
    ("https://knowledge.hubspot.com/import-and-export/set-up-your-import-file",),
    (
        FormColumn("Email", ("email",), lower),
        FormColumn("First Name", ("given_name",), as_is),
        FormColumn("Last Name", ("surname_prefix", "surname"), words),
        FormColumn("Company Name", ("organisation_name",), as_is),
        FormColumn("Phone Number", ("mobile", "phone"), e164),
        FormColumn("CDM ID", (KEY,), as_is),
    ),
    reached_by=frozenset({"Email"}),
    channels=frozenset({"email", "phone"}),
    key="CDM ID",
)
SALESFORCE = Form(
    "salesforce_campaign",
    "Salesforce campaign members",
    1,
    ("https://developer.salesforce.com/docs/platform/object-reference",),
    (
        FormColumn("CampaignId", (CAMPAIGN,), as_is),
        FormColumn("ContactId", (RECORD,), as_is),
        FormColumn("CDM_ID__c", (KEY,), as_is),
    ),
    reached_by=frozenset({"ContactId"}),
    key="CDM_ID__c",
    asks=frozenset({"source", "campaign_id"}),
)
