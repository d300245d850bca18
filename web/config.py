"""What the person who runs the server decides, read once at start from SHAOJI_… variables."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from engine.database import POOLER, PREPARES
from engine.keys import RECEIPT_WORD, Places, is_origin

PREFIX: Final = "SHAOJI_"
SHORTEST_KEY: Final = 32
LONGEST_RETENTION: Final = 36_500
LONGEST_TIMEOUT: Final = 60
MOST_PROCESSES: Final = 64
# One SQLite file has one writer, who works a third of a step's time: a fourth process is the last
# that has anything to do. On PostgreSQL more may pay, where its machine has the cores.
USUAL_PROCESSES: Final = 4
# How spans are sent.
OTLP: Final = "otlp"


class BadSettings(ValueError):
    """A setting that is unknown or cannot be used; the server does not start."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one server.

    database_url: `sqlite:///path` or `postgresql+psycopg://…`. evidence_dir: photos and documents,
    and in `foreign` the logs of other systems; belongs into the same backup as the database.
    secret_key: signs cookies; whoever has it can forge sessions; if it is lost everybody signs in
    anew (and see docs/operating.md on phones). origin: the name of the log, in every event and on
    its key for ever: no white space, no plus sign. cookie_secure:
    cookies travel by HTTPS only; "no" only for a server that is reached by plain HTTP. proxies: how
    many reverse proxies stand before it, whose X-Forwarded headers are then believed. processes: by
    how many `shaoji serve` answers; left out (0), one for each core it may use, four at most, and
    one where the system cannot fork (Windows). replica_url:
    a streaming replica of the database, from which pages that read much are read while it has all
    that the database has; left out, there is none. vault_url, vault_key: the store of what is
    sealed, and the file with its key; left out, both lie beside the database. The key belongs into
    another backup than the vault: whoever has both reads everything, and without the key nobody
    reads anything again. receivers_dir: public keys of the bodies accusations are handed over to,
    one `<name>.pub` each. retention_days: so long after a complaint
    has ended its content and the complainant's identity can still be read; then their keys are
    destroyed, for ever. A year is what this project chose, no legal limit. demo: every page says
    that its data are invented.

    field_key: the file with the key that locks second factors; left out, `field.key` beside the
    database. Lost: nobody's app is accepted; reset each second factor, people enrol anew. Leaked:
    with a copy of the database it gives everybody's codes, for those who know the password too;
    move it away, restart and reset.

    keys_dir: the folder of the log's own keys (engine.keys); left out, `keys` beside the database.
    Each key may be another file, or the `pkcs11:` address of a key in a device (RFC 7512: token,
    serial, object, id, module-path, pin-source; never the PIN itself).

    checkpoint_key: signs checkpoints; only the sequencer needs to read it. Lost: no checkpoint can
    be signed any more, those there are hold; the log ends and another one begins, whose first event
    names the last checkpoint. Leaked: whoever has it can sign another history of the log; only
    witnesses and checkpoints kept elsewhere show which is which. Replace it.
    receipt_key: signs receipts; the pages need it. Lost: those given out hold, a new one is made.
    Leaked: receipts can be forged, and the log be accused of events it never had; replace it.
    seal_key: seals PDFs; its certificate lies beside it as .pem. Lost: sealed reports hold, later
    ones bear a new seal. Leaked: whoever has it seals reports in our name; have the certificate
    revoked, or if it is our own tell everybody who relies on it. What a forged report tells still
    has to be in a checkpoint.
    witness.key, where `shaoji witness` runs, is always in keys_dir. Lost: this office witnesses
    under a new key, which policies have to name. Leaked: its cosignatures are worth nothing.
    policy: whom a verifier believes, left out policy.txt in keys_dir; no secret. Lost: the same
    lines can be written again; changed by others: a forged log passes for ours.

    reports_dir: reports made for whoever asked for them, until they are old; left out, `reports`
    beside the database. Lost: they can be asked for anew; what was exported stays on the record.
    reports_days: so long a report can be fetched after it was made.

    public_url: the address residents reach the pages by (https://…), printed in the codes on doors;
    left out, that of whoever prints them. emergency: whom to call first when somebody is in danger,
    as residents read it where they report; left out, no number is named.

    tsa_url: the time-stamping authority (RFC 3161) that is asked over checkpoints; left out, none
    is. tsa_roots: a PEM file with the certificates its stamps must come from; without it they are
    kept unchecked. checkpoints_dir: the checkpoint of each day as a file; left out, `checkpoints`
    beside the database, where it proves nothing: point it at a place that belongs to somebody else.
    seal_revocation: a folder with the roots of the seal's certificate (*.pem) and lists (*.crl) or
    OCSP responses (*.ocsp, both DER) that cover it, kept fresh by whoever runs the server; with a
    tsa_url, seals are then PAdES B-LT. witness_timeout: seconds for each answer of a witness or the
    authority.

    Links in notices begin with public_url, and no channel works without it. mail_url: the mail
    server, `smtps://user@host:465`, or `smtp+starttls://user@host:587`, or `smtp://127.0.0.1:25`
    without encryption on this machine alone. mail_from: the sender's address. mail_password,
    sms_secret, portal_secret: files with a secret each, which only their owner may read. sms_url: a
    gateway that sends text messages; portal_url: another system that tells people what waits for
    them, by their account. Both are told by signed webhooks (Standard Webhooks) under their secret
    (`whsec_…`). robots: a file with a line `name unit address` for each group robot, the address as
    apprise writes it (`wecombot://…`, `dingtalk://…`, `feishu://…`); it takes the extra `notify`,
    and is a secret,
    too: whoever has an address can write into that group.

    metrics_token: a file with the token by which Prometheus may read /internal/metrics, which only
    its owner may read; left out, there is no such page. Leaked: whoever has it learns how much is
    done and waits, and nothing of anybody; replace it and restart. log: how this program writes its
    own log: `plain`, what somebody should look at; `json`, a line of JSON for each request, too.
    telemetry: `otlp` sends spans of requests, of the worker's rounds and of commands to a collector
    that OpenTelemetry's own variables name (OTEL_EXPORTER_OTLP_ENDPOINT and others); it takes the
    extra `telemetry`. `off`: nothing is sent.

    oidc_issuer: the identity provider of the office (OpenID Connect), exactly as it calls itself;
    left out, everybody signs in here. It takes the extra `sso`, and public_url, to which answers
    come. oidc_client_id: what this server is called there. oidc_client_secret: a file with its
    secret, which only its owner may read; left out for a public client. Leaked: with a stolen
    answer somebody could learn whom it vouches for, but not sign in here; replace it. oidc_label,
    oidc_label_en: what people here call the provider. oidc_subject: the claim of the ID token that
    names a person, `sub` unless told otherwise; it must never be given to somebody else.
    """

    secret_key: str
    database_url: str = "sqlite:///var/shaoji.db"
    evidence_dir: Path = Path("var/evidence")
    origin: str = "shaoji.example/street"
    cookie_secure: bool = True
    proxies: int = 0
    processes: int = 0
    demo: bool = False
    replica_url: str = ""
    vault_url: str = ""
    vault_key: Path | None = None
    receivers_dir: Path = Path("var/receivers")
    retention_days: int = 365
    field_key: Path | None = None
    keys_dir: Path | None = None
    checkpoint_key: str = ""
    receipt_key: str = ""
    seal_key: str = ""
    policy: Path | None = None
    tsa_url: str = ""
    seal_revocation: Path | None = None
    tsa_roots: Path | None = None
    checkpoints_dir: Path | None = None
    witness_timeout: float = 5.0
    reports_dir: Path | None = None
    reports_days: int = 30
    public_url: str = ""
    emergency: str = ""
    mail_url: str = ""
    mail_from: str = ""
    mail_password: Path | None = None
    sms_url: str = ""
    sms_secret: Path | None = None
    portal_url: str = ""
    portal_secret: Path | None = None
    robots: Path | None = None
    metrics_token: Path | None = None
    log: str = "plain"
    telemetry: str = "off"
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: Path | None = None
    oidc_label: str = "统一身份认证"
    oidc_label_en: str = "your office's account"
    oidc_subject: str = "sub"

    @property
    def vault(self) -> tuple[str, Path]:
        """Where the vault lies, and the file with its key."""
        beside = self.database_url
        if make_url(beside).get_backend_name() == "sqlite":
            beside = f"sqlite:///{self._beside / 'vault.db'}"
        return self.vault_url or beside, self.vault_key or self._beside / "vault.key"

    @property
    def field(self) -> Path:
        """The file with the key that locks second factors."""
        return self.field_key or self._beside / "field.key"

    @property
    def keys(self) -> Places:
        """Where the keys of the log are."""
        folder = self.keys_dir or self._beside / "keys"
        return Places(folder, self.checkpoint_key, self.receipt_key, self.seal_key, self.policy)

    @property
    def checkpoints(self) -> Path:
        """The folder of the daily checkpoint files."""
        return self.checkpoints_dir or self._beside / "checkpoints"

    @property
    def foreign(self) -> Path:
        """The folder of other systems' event logs."""
        return self.evidence_dir / "foreign"

    @property
    def reports(self) -> Path:
        """The folder of reports that were made."""
        return self.reports_dir or self._beside / "reports"

    @property
    def _beside(self) -> Path:
        """The folder of the database, if that is a file, else `var`."""
        address = make_url(self.database_url)
        is_file = address.get_backend_name() == "sqlite" and address.database
        return Path(address.database or "").parent if is_file else Path("var")


def read_settings(environ: Mapping[str, str] = os.environ, *, var: Path = Path("var")) -> Settings:
    """Settings from SHAOJI_ variables; without SHAOJI_SECRET_KEY one is kept in `var`/secret.

    Raises BadSettings for a variable nobody reads (a misspelt one would be silently ignored
    otherwise) and for a value that cannot be used.
    """
    told = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    unknown = sorted(set(told) - {PREFIX + name.upper() for name in _READERS})
    if unknown:
        raise BadSettings(
            f"不认识的设置 {'、'.join(unknown)}，请核对拼写。"
            f"可用的设置：{'、'.join(PREFIX + name.upper() for name in _READERS)}。"
            f" / Unknown settings {', '.join(unknown)}; check the spelling."
        )
    read = {
        name: _read(name, told[PREFIX + name.upper()])
        for name in _READERS
        if PREFIX + name.upper() in told
    }
    if "secret_key" not in read:
        read["secret_key"] = kept_secret(var / "secret")
    return Settings(**read)


def kept_secret(path: Path) -> str:
    """The secret in this file, made on the first start; only its owner may read it.

    Raises BadSettings if somebody else may read it too, or if it is too short to be one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL: of two servers starting at once, one writes and the other reads.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept(path)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
    return _kept(path)


def _kept(path: Path) -> str:
    if os.name != "nt" and path.stat().st_mode & 0o077:
        raise BadSettings(
            f"密钥文件 {path} 别人也能读，请先执行 chmod 600 {path}。"
            f" / Others may read the secret {path}; chmod 600 it first."
        )
    return _secret(path.read_text(encoding="ascii").strip())


def _read(name: str, text: str) -> Any:
    try:
        return _READERS[name](text.strip())
    except ValueError as error:
        raise BadSettings(
            f"设置 {PREFIX}{name.upper()} 不能用：{error}。"
            f" / {PREFIX}{name.upper()} cannot be used: {error}"
        ) from error


def _secret(text: str) -> str:
    if len(text) < SHORTEST_KEY:
        raise BadSettings(f"密钥至少 {SHORTEST_KEY} 个字符 / at least {SHORTEST_KEY} characters")
    return text


def _yes(text: str) -> bool:
    answers = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    if text.lower() not in answers:
        raise ValueError("应为 yes 或 no / yes or no")
    return answers[text.lower()]


def _form(text: str) -> str:
    if text not in ("plain", "json"):
        raise ValueError("应为 plain 或 json / plain or json")
    return text


def _telemetry(text: str) -> str:
    if text not in ("off", OTLP):
        raise ValueError("应为 off 或 otlp / off or otlp")
    return text


def _words(text: str) -> str:
    if not text:
        raise ValueError("不能为空 / empty")
    return text


def _database(text: str) -> str:
    """An address of a database, and what it says of a pooler."""
    if POOLER in text and make_url(_words(text)).query.get(POOLER, PREPARES) != PREPARES:
        raise ValueError(f"只能写 ?{POOLER}={PREPARES} / only `?{POOLER}={PREPARES}` is known")
    return _words(text)


def _origin(text: str) -> str:
    if not is_origin(text):
        raise ValueError(
            f"日志名也是密钥名，不能为空，不能有空白和加号，不能以 {RECEIPT_WORD} 开头"
            f" / no white space, no plus sign, not beginning with {RECEIPT_WORD}"
        )
    return text


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("应为 0 或正整数 / 0 or more")
    return int(text)


def _processes(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MOST_PROCESSES:
        raise ValueError(f"应为 1 到 {MOST_PROCESSES} / 1 to {MOST_PROCESSES}")
    return int(text)


def can_fork() -> bool:
    """Whether this system can serve by several processes; Windows cannot."""
    return hasattr(os, "fork")


def usual_processes() -> int:
    """By how many processes pages are served on this machine where nobody says otherwise."""
    if not can_fork():
        return 1
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    return min(USUAL_PROCESSES, len(mine) if mine else os.cpu_count() or 1)


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("应以 http:// 或 https:// 开头 / it begins with http:// or https://")
    return text


def _site(text: str) -> str:
    """An address that pages hang below: no path of its own end, query or fragment."""
    told = urlsplit(_address(text))
    if not told.hostname or told.query or told.fragment:
        raise ValueError("应形如 https://street.example / like https://street.example")
    return text.rstrip("/")


def _guarded(text: str) -> str:
    """An address to which telephone numbers may travel: encrypted, or on this machine."""
    if urlsplit(_address(text)).scheme == "http" and not is_here(urlsplit(text).hostname):
        raise ValueError("应以 https:// 开头，内容不能明文传送 / it begins with https://")
    return text


def _issuer(text: str) -> str:
    """A provider's own name, kept as it is: it is compared, character by character."""
    told = urlsplit(_guarded(text))
    if not told.hostname or told.query or told.fragment:
        raise ValueError("应形如 https://id.street.example/realm / like https://id.street.example")
    return text


def is_here(host: str | None) -> bool:
    """Whether a host name is this machine's own."""
    return host in ("localhost", "127.0.0.1", "::1")


def _mail_server(text: str) -> str:
    told = urlsplit(text)
    plain = told.scheme == "smtp" and is_here(told.hostname)
    if told.password:
        raise ValueError("密码请放在 SHAOJI_MAIL_PASSWORD 所指的文件里 / no password in it")
    if not told.hostname or not (plain or told.scheme in ("smtps", "smtp+starttls")):
        raise ValueError(
            "应形如 smtps://用户@主机:465 或 smtp+starttls://用户@主机:587，"
            "不加密的 smtp:// 只能是本机 / like smtps://user@host:465; smtp:// only to this machine"
        )
    return text


def _mail_address(text: str) -> str:
    if text.count("@") != 1 or not text.isascii() or any(c.isspace() for c in text):
        raise ValueError("应形如 name@street.example / like name@street.example")
    return text


def private_text(path: Path) -> str:
    """What a file holds that only its owner may read; raises BadSettings."""
    try:
        if os.name != "nt" and path.stat().st_mode & 0o077:
            raise BadSettings(
                f"文件 {path} 别人也能读，请先执行 chmod 600 {path}。"
                f" / Others may read {path}; chmod 600 it first."
            )
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise BadSettings(
            f"文件 {path} 读不出来（{type(error).__name__}）。 / {path} cannot be read."
        ) from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ValueError(f"应为 0 到 {LONGEST_TIMEOUT} 秒 / up to {LONGEST_TIMEOUT} seconds")
    return seconds


def _days(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= LONGEST_RETENTION:
        raise ValueError(f"应为 1 到 {LONGEST_RETENTION} 天 / 1 to {LONGEST_RETENTION} days")
    return int(text)


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "database_url": _database,
    "evidence_dir": lambda text: Path(_words(text)),
    "secret_key": _secret,
    "origin": _origin,
    "cookie_secure": _yes,
    "proxies": _count,
    "processes": _processes,
    "demo": _yes,
    "replica_url": _database,
    "vault_url": _database,
    "vault_key": lambda text: Path(_words(text)),
    "receivers_dir": lambda text: Path(_words(text)),
    "retention_days": _days,
    "field_key": lambda text: Path(_words(text)),
    "keys_dir": lambda text: Path(_words(text)),
    "checkpoint_key": _words,
    "receipt_key": _words,
    "seal_key": _words,
    "policy": lambda text: Path(_words(text)),
    "tsa_url": _address,
    "seal_revocation": lambda text: Path(_words(text)),
    "tsa_roots": lambda text: Path(_words(text)),
    "checkpoints_dir": lambda text: Path(_words(text)),
    "witness_timeout": _seconds,
    "reports_dir": lambda text: Path(_words(text)),
    "reports_days": _days,
    "emergency": _words,
    "public_url": _site,
    "mail_url": _mail_server,
    "mail_from": _mail_address,
    "mail_password": lambda text: Path(_words(text)),
    "sms_url": _guarded,
    "sms_secret": lambda text: Path(_words(text)),
    "portal_url": _guarded,
    "portal_secret": lambda text: Path(_words(text)),
    "robots": lambda text: Path(_words(text)),
    "metrics_token": lambda text: Path(_words(text)),
    "log": _form,
    "telemetry": _telemetry,
    "oidc_issuer": _issuer,
    "oidc_client_id": _words,
    "oidc_client_secret": lambda text: Path(_words(text)),
    "oidc_label": _words,
    "oidc_label_en": _words,
    "oidc_subject": _words,
}
