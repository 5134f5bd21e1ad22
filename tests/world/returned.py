"""Mails about mails, as mail servers and mailbox providers write them (RFC 3464, RFC 5965). Nothing here is a test."""

ATTEMPT = "3b241101-e2bb-4255-8caf-4136c566a962"


def _original(message_id: str, to: str) -> str:
    return (
        "From: Acme <no-reply@login.example.com>\r\n"
        f"To: {to}\r\n"
        "Subject: The password of your Acme account was changed\r\n"
        f"Message-ID: {message_id}\r\n"
    )


def _mail(kind: str, machine: str, part: str, original: str) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example.com\r\n"
        "To: bounces@login.example.com\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\n"
        "MIME-Version: 1.0\r\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="b"\r\n'
        "\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nI am sorry.\r\n"
        f"\r\n--b\r\nContent-Type: {machine}\r\n\r\n{part}"
        f"\r\n--b\r\n{original}\r\n--b--\r\n"
    ).encode("utf-8", "surrogateescape")


def report(
    *,
    action: str = "failed",
    status: str = "5.1.1",
    message_id: str = f"<{ATTEMPT}@login.example.com>",
    to: str = "ada@example.com",
    whole: bool = True,
) -> bytes:
    """A report of delivery, with the mail or its headers alone."""
    part = (
        "Reporting-MTA: dns; mx.example.com\r\n\r\n"
        "Final-Recipient: rfc822; ada@example.com\r\n"
        f"Action: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
    )
    headers = _original(message_id, to)
    original = f"Content-Type: text/rfc822-headers\r\n\r\n{headers}"
    if whole:
        original = f"Content-Type: message/rfc822\r\n\r\n{headers}\r\nSomebody changed it.\r\n"
    return _mail("delivery-status", "message/delivery-status", part, original)


def complaint(kind: str, *, message_id: str = f"<{ATTEMPT}@login.example.com>", to: str = "ada@example.com") -> bytes:
    """A report of a feedback loop."""
    part = f"Feedback-Type: {kind}\r\nUser-Agent: Example/1.0\r\nVersion: 1\r\n"
    original = f"Content-Type: message/rfc822\r\n\r\n{_original(message_id, to)}\r\nSomebody changed it.\r\n"
    return _mail("feedback-report", "message/feedback-report", part, original)
