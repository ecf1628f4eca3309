"""Messages about failed runs, to a webhook and to mailboxes.

Belongs here: the text and its sending. Does not belong here: when to send (the run-failure sensor).
"""

import json
import smtplib
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


def _mail(settings: Settings, failed: FailedRun) -> None:
    message = EmailMessage()
    message["Subject"] = failed.subject
    message["From"] = settings.smtp_from or settings.notify_email[0]
    message["To"] = ", ".join(settings.notify_email)
    message.set_content(failed.body)
    with smtplib.SMTP(settings.smtp_host or "", settings.smtp_port, timeout=TIMEOUT_SECONDS) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls()
        if settings.smtp_user and settings.smtp_password:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        server.send_message(message)
