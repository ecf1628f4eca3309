"""Messages about failed runs, to a webhook and to mailboxes.

Belongs here: the text and its sending. Does not belong here: when to send (the run-failure sensor).
"""

import json
import smtplib
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage

from cdm_pipelines.settings import Settings

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class FailedRun:
    """What is told: names, keys and texts written for people; no personal data."""

    job: str
    run_id: str
    partition: str = ""
    steps: Mapping[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """One line."""
        return f"{self.job} failed" + (f" for {self.partition}" if self.partition else "")

    @property
    def body(self) -> str:
        """All that is known."""
        lines = [f"{step.replace('__', '/')}: {text}" for step, text in self.steps.items()]
        return "\n".join([self.subject, *lines, f"Run {self.run_id}"])


def notify(settings: Settings, failed: FailedRun) -> list[str]:
    """Send to everyone in the settings; returns what could not be sent, in words without secrets."""
    problems = []
    if settings.notify_webhook:
        try:
            _post(settings.notify_webhook.get_secret_value(), failed)
        except OSError as error:
            problems.append(f"The webhook of CDM_NOTIFY_WEBHOOK could not be reached: {type(error).__name__}")
    if settings.notify_email:
        try:
            _mail(settings, failed)
        except ssl.SSLCertVerificationError:
            problems.append(
                f"Mail through {settings.smtp_host} was not sent: its certificate is not valid for that name. Set "
                "CDM_SMTP_HOST to the name on it; an authority of your own is named in SSL_CERT_FILE."
            )
        except _NoTlsError:
            problems.append(
                f"Mail through {settings.smtp_host} was not sent: it offers no TLS, and the password of "
                "CDM_SMTP_PASSWORD is not sent without."
            )
        except (OSError, smtplib.SMTPException) as error:
            problems.append(f"Mail through {settings.smtp_host} could not be sent: {type(error).__name__}")
    return problems


def _post(url: str, failed: FailedRun) -> None:
    content = {
        "text": failed.body,  # what chat programs show
        "event": "run_failed",
        "job": failed.job,
        "partition": failed.partition,
        "run_id": failed.run_id,
        "steps": dict(failed.steps),
    }
    request = urllib.request.Request(  # noqa: S310 - settings allow http and https only
        url, data=json.dumps(content).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 - the same
        pass


class _NoTlsError(Exception):
    """The mail server wants a password in the clear."""


def _mail(settings: Settings, failed: FailedRun) -> None:
    message = EmailMessage()
    message["Subject"] = failed.subject
    message["From"] = settings.smtp_from or settings.notify_email[0]
    message["To"] = ", ".join(settings.notify_email)
    message.set_content(failed.body)
    host, port, trusted = settings.smtp_host or "", settings.smtp_port, ssl.create_default_context()
    whole = port == smtplib.SMTP_SSL_PORT  # TLS from the first byte
    with (
        smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=trusted)
        if whole
        else smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    ) as server:
        server.ehlo()
        if not whole and server.has_extn("starttls"):
            server.starttls(context=trusted)
            server.ehlo()
        elif not whole and settings.smtp_password:
            raise _NoTlsError
        if settings.smtp_user and settings.smtp_password:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        server.send_message(message)
