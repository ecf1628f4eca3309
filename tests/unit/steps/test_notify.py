"""Messages about failed runs reach a real web server and a real mail server."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

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


def test_a_dead_webhook_is_told_without_its_address() -> None:
    settings = load_settings(notify_webhook="http://127.0.0.1:1/secret-token")
    (problem,) = notify(settings, FAILED)
    assert "CDM_NOTIFY_WEBHOOK" in problem
    assert "secret-token" not in problem


def test_nobody_to_tell_is_no_fault() -> None:
    assert notify(load_settings(), FAILED) == []
