"""Every command on what is sealed: complaints, mailboxes, identities, hand-over, residents."""

from engine.handover import hand_over
from engine.mailbox import read_content, read_mailbox, write_as_complainant, write_as_staff
from engine.place_codes import issue
from engine.unsealing import deny_unsealing, grant_unsealing, request_unsealing, view_identity
from engine.vault import Vault
from tests.conftest import Street
from tests.engine.complaint_street import complaints
from tests.engine.hazard_street import hazard
from tests.engine.hotline_street import Hotline, hotline
from tests.engine.test_residents import closed, dispute, judge

BODY = "区纪检监察机关（演示）"


def complain(street: Street, vault: Vault) -> None:
    """A named resident's complaint, read, answered, and its identity seen."""
    c = complaints(street, vault).report().held()
    do, who = street.do, street.by("searcher")
    do(read_content, vault, c.case, by=who)
    c.street.later(minutes=1)
    do(write_as_complainant, vault, c.case, "还没有人来", complainant=c.complainant)
    do(write_as_staff, vault, c.case, "周五上门", by=who)
    street.later(minutes=1)
    do(read_mailbox, vault, c.case, by=who)
    for decision in (deny_unsealing, grant_unsealing):
        request = c.do(request_unsealing, ("phone",), "需核对", by="searcher").seq
        c.do(decision, request, "理由", by="keeper")
    street.later(minutes=1)
    do(view_identity, vault, c.case, request, by=who)


def give_away(street: Street, vault: Vault) -> None:
    """An accusation that goes to the body that may handle it."""
    c = complaints(street, vault).report("desk").held("intake")
    key = bytes([9]) + bytes(31)
    street.do(hand_over, vault, c.case, body=BODY, public_key=key, by=street.by("intake"))


def object_to_reply(street: Street, vault: Vault) -> None:
    """A complaint at the hotline whose complainant disagrees."""
    told: Hotline = hotline(street, vault).accepted().replied()
    told.do("revisit")
    told.say("dispute")


def scan(street: Street, vault: Vault) -> None:
    """A resident reports by a code on a door, disputes and rates."""
    street.vault = vault
    h = hazard(street)
    door = str(street.do(issue, "u-micro-1", by=street.by("head")).code)
    dispute(h, closed(h, door))
    judge(h, closed(h, door))
