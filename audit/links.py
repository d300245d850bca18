"""A log's hashes, links and tree, and nothing else: as fast as its bytes can be read.

Sound for what it says: the root is that of these very bytes, and each of them names, as its last
members, the hash of the one before it in its stream. What the bytes say, whether they are canonical
and whether they were allowed is not looked at; audit.exported does all of that.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from audit.chain import Problem
from audit.merkle import Frontier

# In a canonical body the members stand sorted: actor, at, case … log, prev, seq, type, v.
_CASE: Final = b'Z","case":"'
_BLOCK: Final = 256


@dataclass(slots=True)
class Linked:
    """What was found: the tree of the bodies, how many streams, and the first problem."""

    tree: Frontier = field(default_factory=Frontier)
    streams: int = 0
    problem: Problem | None = None


def check_links(log: str, bodies: Iterable[bytes]) -> Linked:
    """Hash the entries of a log in the order of its tree, and check that each follows its last."""
    told, heads, leaves = Linked(), dict[bytes, tuple[int, bytes]](), list[bytes]()
    start, own = (0, b""), b',"log":"%b","prev":"' % log.encode()
    skip = len(own)
    for body in bodies:
        # The name of the stream stands behind the time: the first member `case` of a body.
        begin = body.find(_CASE) + len(_CASE)
        stream = body[begin : body.find(b'"', begin)]
        seq, prev = heads.get(stream, start)
        at = body.rfind(own)
        if not body.startswith(b'%b","seq":%d,"type":"' % (prev, seq + 1), at + skip) or at < 0:
            what = "chain broken: it does not name the event before it"
            told.problem = Problem(stream.decode(errors="replace"), seq + 1, what, "chain")
            break
        hash_ = sha256(b"\0" + body).digest()
        leaves.append(hash_)
        heads[stream] = (seq + 1, hash_.hex().encode())
        if len(leaves) == _BLOCK:
            told.tree.extend(leaves)
            leaves.clear()
    told.tree.extend(leaves)
    told.streams = len(heads)
    return told
