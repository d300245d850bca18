"""Notices by e-mail: one plain-text letter a message, over TLS; to this machine alone without."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from web.config import BadSettings, Settings, private_text
from web.letters import NotTakenError, Outgoing, Send

TIMEOUT: Final = 20.0
PORTS: Final = {"smtps": 465, "smtp+starttls": 587, "smtp": 25}
PERMANENT: Final = 500


def mail_sender(settings: Settings) -> Send:
    """Sends by the mail server of these settings. Raises BadSettings where something is missing."""
    where = urlsplit(settings.mail_url)
    if not settings.mail_from:
        raise BadSettings(
            "配置了邮件，还要配置发件地址 SHAOJI_MAIL_FROM。 / Mail needs SHAOJI_MAIL_FROM."
        )
    if where.username and settings.mail_password is None:
        raise BadSettings(
            "邮件服务器有用户名，还要用 SHAOJI_MAIL_PASSWORD 指明密码文件。"
            " / The mail server's user needs a file with the password: SHAOJI_MAIL_PASSWORD."
        )
    password = private_text(settings.mail_password) if settings.mail_password else ""

    def send(outgoing: Outgoing) -> None:
        message = letter_of(outgoing, settings.mail_from)
        try:
            with _connected(where, password) as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            raise _not_known(refused) from None
        except smtplib.SMTPAuthenticationError as error:
            raise NotTakenError(
                f"邮件服务器不接受用户名或密码（{error.smtp_code}）",
                f"the mail server refuses user or password ({error.smtp_code})",
            ) from None
        except smtplib.SMTPResponseException as error:
            raise NotTakenError(
                f"邮件服务器没有收下（{error.smtp_code}）",
                f"the mail server did not take it ({error.smtp_code})",
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            # The words of the error may repeat an address; its name says enough.
            name = type(error).__name__
            raise NotTakenError(
                f"邮件服务器连不上（{name}）", f"the mail server cannot be reached ({name})"
            ) from None

    return send


def letter_of(outgoing: Outgoing, sender: str) -> EmailMessage:
    """The letter as it goes over the wire; the same id whenever it is sent again."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["Subject"] = outgoing.letter.subject
    message["From"] = sender
    message["To"] = outgoing.address
    message["Date"] = format_datetime(outgoing.at)
    message["Message-ID"] = f"<{outgoing.id}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers, please
    message.set_content(outgoing.letter.text + "\n", cte="base64")
    message["Content-Language"] = "zh-CN" if outgoing.letter.locale == "zh" else "en"
    return message


@contextmanager
def _connected(where: SplitResult, password: str) -> Iterator[smtplib.SMTP]:
    host, port = str(where.hostname), where.port or PORTS[where.scheme]
    trust = ssl.create_default_context()
    if where.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=trust)
    else:
        server = smtplib.SMTP(host, port, timeout=TIMEOUT)
    with server:
        if where.scheme == "smtp+starttls":
            server.starttls(context=trust)
        if where.username:
            server.login(unquote(where.username), password)
        yield server


def _not_known(refused: smtplib.SMTPRecipientsRefused) -> NotTakenError:
    code = max(code for code, _ in refused.recipients.values())
    return NotTakenError(
        f"邮件服务器不收这个地址（{code}）",
        f"the mail server does not accept this address ({code})",
        for_good=code >= PERMANENT,
    )
