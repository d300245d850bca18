"""Notices by signed webhook: a gateway that sends text messages, or another system's inbox.

Standard Webhooks: headers webhook-id (stable, for dropping doubles), webhook-timestamp,
webhook-signature (HMAC-SHA256 over id, timestamp and body); 2xx means taken, 410 means never again.
"""

import binascii
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import orjson
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from audit.encoding import timestamp
from engine.outgoing import NoAnswer, post
from web.config import BadSettings, private_text
from web.letters import NotTakenError, Outgoing, Send

TIMEOUT: Final = 10.0
LARGEST_ANSWER: Final = 64 * 1024
SHORTEST_SECRET: Final = 24
GONE: Final = 410


def webhook_sender(channel: str, url: str, secret: Path | None) -> Send:
    """Sends to this address. Raises BadSettings for a secret that is missing or none."""
    signer = _signer(channel, secret)

    def send(outgoing: Outgoing) -> None:
        body = orjson.dumps(payload(channel, outgoing))
        at = outgoing.at.astimezone(UTC)
        headers = {
            "webhook-id": outgoing.id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signer.sign(outgoing.id, at, body.decode()),
        }
        try:
            reply = post(
                url, body, "application/json", timeout=TIMEOUT, largest=LARGEST_ANSWER,
                headers=headers,
            )  # fmt: skip
        except NoAnswer as silent:
            name = str(silent).partition(":")[0]
            raise NotTakenError(f"对方没有回应（{name}）", f"no answer ({name})") from None
        if not 200 <= reply.status < 300:
            raise NotTakenError(
                f"对方没有收下（{reply.status}）", f"not taken ({reply.status})",
                for_good=reply.status == GONE,
            )  # fmt: skip

    return send


def payload(channel: str, outgoing: Outgoing) -> dict[str, Any]:
    """What is sent: {type, timestamp, data: {to, subject, text, lines, link, due, locale}}.

    to: a telephone number, or an account's name.
    """
    letter = outgoing.letter
    return {
        "type": f"shaoji.notice.{channel}",
        "timestamp": timestamp(outgoing.at),
        "data": {
            "to": outgoing.address or outgoing.account,
            "subject": letter.subject,
            "text": " ".join((*letter.lines, letter.link)),
            "lines": list(letter.lines),
            "link": letter.link,
            "due": timestamp(letter.due) if letter.due else None,
            "locale": letter.locale,
        },
    }


def _signer(channel: str, secret: Path | None) -> Webhook:
    name = f"SHAOJI_{channel.upper()}_SECRET"
    if secret is None:
        raise BadSettings(
            f"还要用 {name} 指明签名密钥的文件。 / {name} must name a file with the secret."
        )
    told = private_text(secret)
    try:
        raw = binascii.a2b_base64(told.removeprefix("whsec_") + "==", strict_mode=False)
        signer = Webhook(told)
    except (binascii.Error, ValueError, EmptyWebhookSecretError):
        raw, signer = b"", None
    if signer is None or len(raw) < SHORTEST_SECRET:
        raise BadSettings(
            f"{name} 所指文件里应是 whsec_ 加至少 {SHORTEST_SECRET} 字节的 base64。"
            f" / The file of {name} must hold whsec_ and base64 of {SHORTEST_SECRET} bytes or more."
        )
    return signer
