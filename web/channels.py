"""By which channels notices can leave the house, as configured; each a function that sends one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.notice_board import GROUP, Outlets
from engine.notice_choices import MAIL, PORTAL, SMS
from web.config import BadSettings, Settings
from web.letters import Send
from web.mailing import mail_sender
from web.quantities import ZONE
from web.robots import robot_senders
from web.texts import later
from web.webhooks import webhook_sender

# How a channel is called on pages.
NAMES: Final[Mapping[str, str]] = {
    MAIL: later("邮件"),
    SMS: later("短信"),
    PORTAL: later("工作门户"),
}


@dataclass(frozen=True, slots=True)
class Channels:
    """How each configured channel sends. units: group channel -> the unit whose group it is."""

    senders: Mapping[str, Send] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    public_url: str = ""

    @property
    def outlets(self) -> Outlets:
        """The same as the engine wants to know it: names alone."""
        own = frozenset(name for name in self.senders if not name.startswith(GROUP))
        groups = {name.removeprefix(GROUP): unit for name, unit in self.units.items()}
        return Outlets(own, groups, ZONE)


def configured(settings: Settings) -> frozenset[str]:
    """The channels by which persons can be reached, without opening any secret."""
    told = {MAIL: settings.mail_url, SMS: settings.sms_url, PORTAL: settings.portal_url}
    return frozenset(name for name, address in told.items() if address)


def channels(settings: Settings) -> Channels:
    """The channels of these settings. Raises BadSettings for one that is only half configured."""
    senders: dict[str, Send] = {}
    if settings.mail_url:
        senders[MAIL] = mail_sender(settings)
    for name, url, secret in (
        (SMS, settings.sms_url, settings.sms_secret),
        (PORTAL, settings.portal_url, settings.portal_secret),
    ):
        if url:
            senders[name] = webhook_sender(name, url, secret)
    units = {}
    if settings.robots:
        for name, unit, send in robot_senders(settings.robots):
            senders[GROUP + name], units[GROUP + name] = send, unit
    if senders and not settings.public_url:
        raise BadSettings(
            "配置了通知渠道，还要配置 SHAOJI_PUBLIC_URL，通知里的链接用它。"
            " / A channel for notices needs SHAOJI_PUBLIC_URL for the links in them."
        )
    return Channels(senders, units, settings.public_url)
