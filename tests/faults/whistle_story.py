"""Every command among cases: whistles with parties, messages, recalls, and words disavowed."""

from engine.casework import read_case
from engine.disavowals import disavow
from engine.parties import add_party, remove_party
from engine.turns import recall
from tests.conftest import Street
from tests.engine.light_street import light
from tests.engine.test_directive import BOTH
from tests.engine.test_informants import told
from tests.engine.whistle_street import whistle


def blow(street: Street) -> None:
    """A whistle whose departments come; one is added and one taken off."""
    w = whistle(street).blow()
    w.do("review").do("fix_list")
    with street.database.begin() as conn:
        state = read_case(conn, w.case)
    (group,) = {child.group for child in state.children.values()}
    w.act(add_party, group, "u-housing", "也归他们", by="desk")
    (number,) = [int(n) for n, c in w.state.children.items() if c.party == "u-urban"]
    w.act(remove_party, number, "不归他们", by="desk")
    w.arrived()


def order(street: Street) -> None:
    """A directive called back, and a report that a colleague did not make."""
    s = light(street)
    directive = s.begin("directive", audience=BOTH)
    directive.act(recall, "依据有误", by="director2")
    case = told(s, "head", "walker")
    street.later(minutes=5)
    case.act(disavow, 1, "当天没有上班", by="walker")
