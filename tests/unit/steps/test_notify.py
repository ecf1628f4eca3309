"""Messages about failed runs reach a real web server and a real mail server."""

import datetime as dt
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cdm_pipelines.settings import load_settings
from cdm_pipelines.steps.operate.notify import FailedRun, notify

FAILED = FailedRun(
    job="ingest_crm", run_id="abc", partition="2026-06-01", steps={"crm__contact": "contact.csv is empty"}
)


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_webhook_gets_what_failed_and_why() -> None:
    received: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        assert notify(load_settings(notify_webhook=f"http://127.0.0.1:{port}/hook"), FAILED) == []
    assert received[0]["job"] == "ingest_crm"
    assert received[0]["partition"] == "2026-06-01"
    assert "crm/contact: contact.csv is empty" in str(received[0]["text"])


def test_a_mailbox_gets_what_failed_and_why() -> None:
    mails: list[str] = []

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline():
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go\r\n")
                    body = b""
                    while not body.endswith(b"\r\n.\r\n"):
                        body += self.rfile.readline()
                    mails.append(body.decode())
                self.wfile.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as port:
        settings = load_settings(notify_email=("team@example.com",), smtp_host="127.0.0.1", smtp_port=port)
        assert notify(settings, FAILED) == []
    assert "Subject: ingest_crm failed for 2026-06-01" in mails[0]
    assert "contact.csv is empty" in mails[0]


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "server.pem", folder / "server.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_a_mail_server_without_a_valid_certificate_gets_neither_password_nor_mail(tmp_path: Path) -> None:
    heard: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(tmp_path, "mail.example.com"))

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline():
                heard.append(line)
                if line.upper().startswith(b"STARTTLS"):
                    self.wfile.write(b"220 go\r\n")
                    with suppress(OSError), context.wrap_socket(self.request, server_side=True) as safe:
                        heard.append(safe.recv(1000))
                    return
                self.wfile.write(b"250-test\r\n250 STARTTLS\r\n")

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as port:
        settings = load_settings(
            notify_email=("team@example.com",),
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_user="cdm",
            smtp_password="hush",
        )
        (problem,) = notify(settings, FAILED)
    assert "certificate is not valid" in problem
    assert not [line for line in heard if b"AUTH" in line or b"MAIL" in line]


def test_a_password_is_not_sent_in_the_clear() -> None:
    heard: list[bytes] = []

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline():
                heard.append(line)
                done = line.upper().startswith(b"QUIT")
                self.wfile.write(b"221 bye\r\n" if done else b"250-test\r\n250 AUTH PLAIN\r\n")

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as port:
        settings = load_settings(
            notify_email=("team@example.com",),
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_user="cdm",
            smtp_password="hush",
        )
        (problem,) = notify(settings, FAILED)
    assert "offers no TLS" in problem
    assert not [line for line in heard if b"AUTH" in line]


def test_a_dead_webhook_is_told_without_its_address() -> None:
    settings = load_settings(notify_webhook="http://127.0.0.1:1/secret-token")
    (problem,) = notify(settings, FAILED)
    assert "CDM_NOTIFY_WEBHOOK" in problem
    assert "secret-token" not in problem


def test_nobody_to_tell_is_no_fault() -> None:
    assert notify(load_settings(), FAILED) == []
