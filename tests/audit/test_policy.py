"""Whom to believe: the specification's example, each of its refusals, and who makes a quorum."""

from itertools import combinations

import pytest

from audit.checkpoint import Checkpoint, cosign, sign_checkpoint
from audit.note import BadSignature, Signature
from audit.policy import (
    NotAPolicy,
    Policy,
    has_quorum,
    read_policy,
    signers,
    witnessed,
    write_policy,
)
from tests.witnessing import ORIGIN, signer, witness_signer

LOG, RECEIPTS = signer(ORIGIN), signer(f"{ORIGIN}/receipt")
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
KEYS = {name: witness_signer(f"{name.lower()}.example") for name in NAMES}
VKEYS = {name: key.key.vkey for name, key in KEYS.items()}

# The example of C2SP tlog-policy, with keys.
EXAMPLE = f"""\
log {LOG.key.vkey}

witness X1 {VKEYS["X1"]}
witness X2 {VKEYS["X2"]}
witness X3 {VKEYS["X3"]}
group X-witnesses 2 X1 X2 X3

witness Y1 {VKEYS["Y1"]}
witness Y2 {VKEYS["Y2"]}
witness Y3 {VKEYS["Y3"]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""
AT = 1772618400
NOTE = sign_checkpoint(Checkpoint(ORIGIN, 9, bytes(32)), LOG)


def test_the_specifications_example_wants_two_of_three_and_one_of_three() -> None:
    policy = read_policy(EXAMPLE)
    assert policy.logs == (LOG.key,)
    assert [one.name for one in policy.witnesses] == list(NAMES)
    assert policy.quorum == "X-and-Y"
    for count in range(7):
        for there in combinations(NAMES, count):
            note = NOTE.signed(*(cosign(NOTE, KEYS[name], at=AT) for name in there))
            found = witnessed(note, policy)
            assert found == dict.fromkeys(there, AT)
            xs = sum(name[0] == "X" for name in there)
            assert has_quorum(policy, found) is (xs >= 2 and count > xs), there


def test_a_policy_is_read_back_as_it_was_written() -> None:
    policy = read_policy(EXAMPLE)
    assert read_policy(write_policy(policy)) == policy
    plain = read_policy(f"witness w {VKEYS['X1']} https://w.example/\nquorum w\n")
    assert plain.witnesses[0].url == "https://w.example/"
    assert read_policy(write_policy(plain)) == plain


def test_blanks_comments_and_addresses_do_not_matter() -> None:
    told = f"""
    # 信任名单
\tlog \t {LOG.key.vkey}  https://log.example/ \t
  #log nothing
witness  区里 {VKEYS["X1"]}
group\tall\tall\t区里
quorum all"""
    policy = read_policy(told)
    assert policy.logs == (LOG.key,)
    assert policy.groups == {"all": (1, ("区里",))}


def test_a_quorum_of_none_wants_nobody_and_one_of_a_witness_wants_that_one() -> None:
    none = read_policy(f"log {LOG.key.vkey}\nquorum none\n")
    assert has_quorum(none, {})
    one = read_policy(f"witness X1 {VKEYS['X1']}\nwitness X2 {VKEYS['X2']}\nquorum X1\n")
    assert not has_quorum(one, {"X2": AT})
    assert has_quorum(one, {"X1": AT})
    # A policy that names a group nobody has defined can be made in code only: it wants too much.
    assert not has_quorum(Policy((), quorum="nowhere"), {"X1": AT})


def witnesses(count: int) -> str:
    return "".join(f"witness {name} {VKEYS[name]}\n" for name in NAMES[:count])


REFUSED = {
    "no quorum": f"log {LOG.key.vkey}\n",
    "nothing": "",
    "a quorum twice": "quorum none\nquorum none\n",
    "a quorum nobody has defined": "quorum w\n",
    "a quorum defined below": f"quorum X1\n{witnesses(1)}",
    "a quorum of two": f"{witnesses(2)}quorum X1 X2\n",
    "the log's key twice": f"log {LOG.key.vkey}\nlog {LOG.key.vkey}\nquorum none\n",
    "the log's key under two names": (
        f"log {LOG.key.vkey}\nlog {LOG.key.__class__('other', 1, LOG.key.key).vkey}\nquorum none\n"
    ),
    "a log with a witness's key": f"log {VKEYS['X1']}\nquorum none\n",
    "a witness with a log's key": f"witness w {LOG.key.vkey}\nquorum w\n",
    "a witness's key twice": f"{witnesses(1)}witness other {VKEYS['X1']}\nquorum X1\n",
    "two witnesses of one name": f"{witnesses(1)}witness X1 {VKEYS['X2']}\nquorum X1\n",
    "a witness called none": f"witness none {VKEYS['X1']}\nquorum none\n",
    "a group called none": f"{witnesses(1)}group none any X1\nquorum none\n",
    "a group of a witness's name": f"{witnesses(2)}group X1 any X2\nquorum X1\n",
    "two groups of one name": f"{witnesses(2)}group g any X1\ngroup g any X2\nquorum g\n",
    "a group of nobody": "group g any\nquorum g\n",
    "a member nobody has defined": f"{witnesses(1)}group g any X1 X9\nquorum g\n",
    "a group in itself": f"{witnesses(1)}group g any X1 g\nquorum g\n",
    "none as a member": f"{witnesses(1)}group g any none X1\nquorum g\n",
    "a member twice in a group": f"{witnesses(1)}group g all X1 X1\nquorum g\n",
    "a member in two groups": f"{witnesses(1)}group g any X1\ngroup h any X1\nquorum h\n",
    "nobody needed": f"{witnesses(2)}group g 0 X1 X2\nquorum g\n",
    "more needed than are there": f"{witnesses(2)}group g 3 X1 X2\nquorum g\n",
    "fewer than nobody needed": f"{witnesses(2)}group g -1 X1 X2\nquorum g\n",
    "a count with a plus": f"{witnesses(2)}group g +1 X1 X2\nquorum g\n",
    "a count with a zero before": f"{witnesses(2)}group g 01 X1 X2\nquorum g\n",
    "a count in another script": f"{witnesses(2)}group g １ X1 X2\nquorum g\n",
    "a count with an underscore": f"{witnesses(2)}group g 0_1 X1 X2\nquorum g\n",
    "a count in words": f"{witnesses(2)}group g most X1 X2\nquorum g\n",
    "a key that is none": "log nothing\nquorum none\n",
    "a log without a key": "log\nquorum none\n",
    "words behind the address": f"log {LOG.key.vkey} https://x/ y\nquorum none\n",
    "a witness without a key": "witness w\nquorum none\n",
    "a line nobody knows": "trust everybody\nquorum none\n",
    "a carriage return": "quorum none\r\n",
    "a null": "quorum none\n#\0\n",
    "a delete": "quorum none\n#\x7f\n",
    "a wide space between words": "quorum　none\n",
    "a no-break space between words": "quorum\xa0none\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_specification_refuses_is_refused(what: str) -> None:
    with pytest.raises(NotAPolicy):
        read_policy(REFUSED[what])


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(NotAPolicy, match="line 3"):
        read_policy(f"log {LOG.key.vkey}\n\nlog {LOG.key.vkey}\nquorum none\n")


def test_names_are_bytes_and_nothing_is_made_of_them() -> None:
    """K and the Kelvin sign, as the specification has it."""
    told = f"witness K {VKEYS['X1']}\nwitness \u212a {VKEYS['X2']}\nquorum \u212a\n"
    policy = read_policy(told)
    assert has_quorum(policy, {"\u212a": AT})
    assert not has_quorum(policy, {"K": AT})


# --- who has signed -------------------------------------------------------------------------------


def test_a_key_of_another_log_on_this_ones_checkpoint_is_nobodys() -> None:
    other = signer("log.yanhe.example")
    policy = Policy((LOG.key, other.key))
    foreign = Signature(other.key.name, other.key.id, other.sign(NOTE.text.encode()))
    assert signers(NOTE.signed(foreign), policy) == [LOG.key]
    assert signers(NOTE.__class__(NOTE.text, (foreign,)), policy) == []


def test_a_forged_line_under_a_known_name_is_told() -> None:
    policy = read_policy(EXAMPLE)
    [own] = NOTE.signatures
    with pytest.raises(BadSignature):
        signers(NOTE.signed(Signature(own.name, own.id, bytes(64))), policy)
    line = cosign(NOTE, KEYS["X1"], at=AT)
    with pytest.raises(BadSignature):
        witnessed(NOTE.signed(Signature(line.name, line.id, bytes(72))), policy)


def test_keys_that_come_later_are_added_once() -> None:
    new = signer(ORIGIN, seed="new").key
    policy = read_policy(EXAMPLE).trusting([LOG.key, new, new])
    assert policy.logs == (LOG.key, new)
    assert policy.quorum == "X-and-Y"
