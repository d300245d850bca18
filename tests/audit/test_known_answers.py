"""Our leaf hash against the hashes published with Certificate Transparency and Go's tlog."""

import base64
import json
from typing import Any

import pytest

from audit.chain import link
from audit.entries import leaf_hash
from tests.vectors import published


@pytest.fixture(scope="module")
def answers() -> Any:
    return json.loads(published("known-answers.json").read_text())


def test_leaf_hashes_are_those_published_with_rfc_6962(answers: Any) -> None:
    known: dict[str, str] = answers["rfc6962"]["leaf_hash"]
    assert len(known) == 2
    for leaf, hash_ in known.items():
        assert leaf_hash(leaf.encode()).hex() == hash_


def test_the_root_of_a_tree_of_one_leaf_is_its_leaf_hash(answers: Any) -> None:
    tree = answers["rfc6962"]
    first = bytes.fromhex(tree["leaves_hex"][0])
    assert leaf_hash(first).hex() == tree["roots_hex"][0]


def test_the_record_hash_is_that_of_gos_tlog(answers: Any) -> None:
    tlog = answers["tlog"]
    assert (
        base64.b64encode(leaf_hash(tlog["record"].encode())).decode() == tlog["record_hash_base64"]
    )


def test_a_leaf_is_never_taken_for_a_node(answers: Any) -> None:
    node = answers["rfc6962"]["node_hash"]
    assert leaf_hash(f"{node['left']}{node['right']}".encode()).hex() != node["hash"]


def test_a_link_is_the_leaf_hash_in_lowercase_hex(answers: Any) -> None:
    known: dict[str, str] = answers["rfc6962"]["leaf_hash"]
    assert link(leaf_hash(b"L123456")) == known["L123456"]
