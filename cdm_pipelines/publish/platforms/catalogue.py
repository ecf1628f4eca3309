"""All forms that there are.

Belongs here: the list. Does not belong here: the forms.
"""

from cdm_pipelines.publish.platforms.form import one_of
from cdm_pipelines.publish.platforms.google import GOOGLE
from cdm_pipelines.publish.platforms.mail_and_crm import HUBSPOT, MAILCHIMP, SALESFORCE
from cdm_pipelines.publish.platforms.meta import META

FORMS = one_of((MAILCHIMP, HUBSPOT, SALESFORCE, GOOGLE, META))
"""By platform."""
WEBHOOK = "webhook"
"""A platform without a file: golden ids in signed requests."""
PLATFORMS = (*FORMS, WEBHOOK)
