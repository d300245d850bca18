"""verify.html in a real browser without a network: what it says of every good and bad file."""

import base64
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pikepdf
import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_der_x509_certificate
from playwright.sync_api import Browser, Page
from pyhanko.sign.timestamps import DummyTimeStamper

from audit import vocabulary
from audit.bundle import write_bundle
from audit.encoding import canonical
from audit.entries import leaf_hash
from audit.merkle import levels
from audit.note import Note
from audit.receipt import Receipt, give_receipt
from audit.steps import STEPS
from audit.tlog_proof import prove
from engine.seal_key import SealKey, make_seal_key, read_seal_key
from tests.golden.evidence import make
from tests.web.conftest import Visitor
from tests.web.test_browser import DESK, PHONE, SMALL, address, browser  # noqa: F401
from web.printing import File, print_pdf
from web.sealing import seal_pdf
from web.verifying import hashed, policy

PAGE = Path(__file__).parents[2] / "web" / "static" / "verify.html"
GOLDEN = Path(make.__file__).parent
OUTSIDE = [GOLDEN / name for name in ("policy.txt", "kept.checkpoint", "last.receipt", "tsa.pem")]
SEALED = datetime(2026, 3, 5, 2, tzinfo=UTC)
# Steps this page cannot do for any evidence file.
NOT_HERE = {"words", "replay", "files"}

READ = """() => Object.fromEntries([...document.querySelectorAll(".steps li")].map(item => [
  item.dataset.step, [item.dataset.outcome, item.querySelector("p")?.textContent ?? "",
    item.querySelector(".mark").textContent, item.querySelector(".n").textContent]]))"""


@dataclass
class Desk:
    """The page, opened from the disk of a machine without a network; `heard`: what went wrong."""

    page: Page
    heard: list[str] = field(default_factory=list)

    def drop(self, *files: Path) -> dict[str, list[str]]:
        """Give files to the page; the steps as shown: name -> outcome, words, mark, number."""
        self.page.evaluate("document.querySelector('#result').replaceChildren()")
        self.page.set_input_files("#files", [str(path) for path in files])
        self.page.wait_for_selector(".sum")
        return self.steps()

    def steps(self) -> dict[str, list[str]]:
        told: dict[str, list[str]] = self.page.evaluate(READ)
        assert self.heard == []
        return told

    def summary(self) -> str:
        return self.page.inner_text(".sum h2")

    def again(self, *, trust: str = "", kept: str = "") -> dict[str, list[str]]:
        """Type into the boxes, and have it checked again."""
        self.page.evaluate("document.querySelector('#outside').open = true")
        self.page.fill("#trust", trust)
        self.page.fill("#kept", kept)
        self.page.evaluate("document.querySelector('#result').replaceChildren()")
        self.page.click("#again")
        self.page.wait_for_selector(".sum")
        return self.steps()


Sit = Callable[..., Desk]


@pytest.fixture
def sit(browser: Browser) -> Iterator[Sit]:  # noqa: F811
    contexts = []

    def open_page(*, before: str = "", **more: Any) -> Desk:
        context = browser.new_context(**{"viewport": DESK, "locale": "zh-CN", **more})
        context.set_offline(True)
        contexts.append(context)
        desk = Desk(context.new_page())
        desk.page.on("console", lambda message: desk.heard.append(message.text))
        desk.page.on("pageerror", lambda error: desk.heard.append(str(error)))
        asked: list[str] = []
        desk.page.on("request", lambda request: asked.append(request.url))
        if before:
            desk.page.add_init_script(before)
        desk.page.goto(PAGE.as_uri())
        assert asked == [PAGE.as_uri()]
        desk.page.on("request", lambda request: desk.heard.append(f"asks for {request.url}"))
        return desk

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def desk(sit: Sit) -> Desk:
    return sit()


def failing(steps: dict[str, list[str]]) -> dict[str, str]:
    return {name: told[1] for name, told in steps.items() if told[0] == "fails"}


def open_ones(steps: dict[str, list[str]]) -> set[str]:
    return {name for name, told in steps.items() if told[0] == "unchecked"}


# --- the file itself ------------------------------------------------------------------------------


def test_the_page_allows_exactly_the_style_and_script_it_has() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert hashed(text) == text, "run python -m web.verifying"
    told = policy(text)
    assert told.startswith("default-src 'none'; ")
    assert "unsafe" not in told
    assert "trusted-types 'none'" in told
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text)


def test_the_page_names_steps_and_events_as_the_verifier_does() -> None:
    text = PAGE.read_text(encoding="utf-8")
    steps = re.findall(r'^  (\w+): \[(\d+), "([^"]+)", "([^"]+)"\],$', text, re.MULTILINE)
    assert {name: (int(n), zh, en) for name, n, zh, en in steps} == STEPS
    types = re.findall(r'^  "([a-z_]+\.[a-z_]+)": "([^"]+)",$', text, re.MULTILINE)
    told = {one.name: one.chinese for one in vocabulary.TYPES.values() if one.stream == "case"}
    assert dict(types) == told


def test_the_golden_files_are_those_that_their_maker_makes() -> None:
    early = make.evidence(make.bodies()[: make.EARLY], make.EARLY_SIZE)
    assert orjson.loads((GOLDEN / "early.json").read_bytes()) == early
    assert {f"bad_{fault.__name__}" for fault in make.FAULTS} == {
        path.stem for path in GOLDEN.glob("bad_*.json")
    }


def test_the_server_gives_the_page_to_everybody_under_its_own_policy(visitor: Visitor) -> None:
    answer = visitor.get("/verify.html")
    assert answer.text == PAGE.read_text(encoding="utf-8")
    assert answer.headers["Content-Security-Policy"] == (
        f"{policy(answer.text)}; frame-ancestors 'none'"
    )
    assert "Content-Disposition" not in answer.headers
    kept = visitor.get("/verify.html?download=1")
    assert kept.headers["Content-Disposition"] == 'attachment; filename="verify.html"'


@pytest.mark.browser
def test_the_page_works_where_the_server_shows_it(browser: Browser, address: str) -> None:  # noqa: F811
    page = browser.new_page(locale="zh-CN")
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.goto(f"{address}/verify.html")
    page.set_input_files("#files", str(GOLDEN / "early.json"))
    page.wait_for_selector(".sum")
    page.close()
    assert [one for one in heard if "favicon" not in one] == []


# --- evidence files -------------------------------------------------------------------------------


@pytest.mark.browser
def test_of_a_good_file_alone_it_says_what_nobody_has_vouched_for(desk: Desk) -> None:
    steps = desk.drop(GOLDEN / "early.json")
    assert failing(steps) == {}
    assert {name for name, told in steps.items() if told[0] == "holds"} == {
        "file", "bytes", "chain", "tree", "pinned",
    }  # fmt: skip
    assert open_ones(steps) == NOT_HERE | {"signature", "witnesses", "timestamp", "outside"}
    assert "没有给出外部得到的公钥" in steps["signature"][1]
    assert desk.summary() == "相符，但有 7 项没能核对"
    assert "还不能说明它出自街道" in desk.page.inner_text(".sum")
    # Word and shape beside the colour, and the number it has in every verifier.
    for name, (outcome, _, mark, number) in steps.items():
        words = {"holds": "相符", "unchecked": "未核对", "not_needed": "未要求", "fails": "不符"}
        assert (mark, number) == (words[outcome], str(STEPS[name][0]))


@pytest.mark.browser
def test_with_what_is_known_from_outside_a_good_file_holds(desk: Desk) -> None:
    steps = desk.drop(GOLDEN / "early.json", *OUTSIDE)
    assert (failing(steps), open_ones(steps)) == ({}, NOT_HERE)
    assert "nanyu（2026-03-04 18:00）" in steps["witnesses"][1]
    assert steps["timestamp"][1] == "演示时间戳中心（测试），2026-03-04 18:00"
    assert steps["outside"][1] == "都是 40 条，树根相同"
    assert steps["promises"][0] == "holds"
    assert "还不能说明" not in desk.page.inner_text(".sum")


@pytest.mark.browser
def test_a_smaller_checkpoint_from_outside_is_not_compared_and_that_is_said(desk: Desk) -> None:
    steps = desk.drop(GOLDEN / "good.json", *OUTSIDE)
    assert (failing(steps), open_ones(steps)) == ({}, NOT_HERE | {"outside"})
    assert "一致性证明" in steps["outside"][1]


# What is shown where everything from outside was given: every step that fails, and its words.
BROKEN = "第 3 条：证明走到另一个树根"
NOT_PROMISED = "workshop-2026-00001 第 9 条和回执许诺的不是同一条"
GONE = "回执许诺了workshop-2026-00001 第 9 条，文件里没有：记录被去掉了"
TWO_ROOTS = "同样是 40 条，却有两个不同的树根：日志被整本重写过，或者对不同的人给出不同的历史"
STRANGE = "第 1 条：原文说自己是别的日志、案件或编号"
NOT_COSIGNED = "nanyu 的见证签名不是签在这个检查点上的"
WORDS: dict[str, dict[str, str]] = {
    "changed_byte": {
        "bytes": "第 3 条：原文算出来不是写着的摘要：内容或摘要改过",
        "chain": "第 4 条：接不上前一条", "tree": BROKEN,
    },
    "hash_of_another_event": {"bytes": "第 3 条：原文算出来不是写着的摘要：内容或摘要改过"},
    "body_with_a_space": {
        "bytes": "第 3 条：字节不是规定的写法", "chain": "第 3 条：看不懂，接不上", "tree": BROKEN,
    },
    "event_dropped": {"chain": "第 4 条：这里是编号 5：少了、多了或者换了位置", "promises": GONE},
    "events_swapped": {
        "chain": "第 3 条：这里是编号 4：少了、多了或者换了位置",
        "tree": "第 4 条：它在树里排在前一条之前",
    },
    "event_duplicated": {
        "chain": "第 4 条：这里是编号 3：少了、多了或者换了位置",
        "tree": "第 4 条：它在树里排在前一条之前", "promises": NOT_PROMISED,
    },
    "log_of_another_name": {"chain": STRANGE, "tree": "检查点是另一个日志的"},
    "case_of_another_name": {"chain": STRANGE},
    "rechained": {"tree": BROKEN, "promises": NOT_PROMISED},
    "truncated_tail": {
        "file": "文件自己说有 9 条、末条是另一个摘要，里面却是 7 条：被截短，或者拼过",
        "promises": GONE,
    },
    "truncated_tail_told": {"promises": GONE},
    "forked_tree": {
        "signature": "签名是假的：写着日志的密钥，却不是它签的", "witnesses": NOT_COSIGNED,
        "timestamp": "时间戳盖的是另一个检查点", "outside": TWO_ROOTS, "promises": NOT_PROMISED,
    },
    "rewound_and_resigned": {
        "witnesses": "缺见证：nanyu、archive", "outside": TWO_ROOTS, "promises": NOT_PROMISED,
    },
    "stripped_signature": {"signature": "检查点上没有日志的签名"},
    "changed_signature": {"signature": "签名是假的：写着日志的密钥，却不是它签的"},
    "unknown_key": {"signature": "不是您给的公钥签的"},
    "stale_witness": {"witnesses": NOT_COSIGNED},
    "witness_missing": {"witnesses": "缺见证：archive"},
    "cosigned_at_another_time": {"witnesses": NOT_COSIGNED},
    "changed_definition": {"pinned": "流程文件 deadlines.toml 的内容改过"},
    "swapped_definition": {"pinned": "带的流程定义不是立案时指明的那一套"},
    "swapped_calendar": {"pinned": "带的日历不是记录指明的那些"},
    "proof_of_another_leaf": {"tree": BROKEN},
    "wrong_index": {"tree": BROKEN},
    "path_too_short": {"tree": "第 3 条：证明太短"},
    "proof_to_another_checkpoint": {"tree": "第 3 条：证明说的是另一个检查点"},
    "proof_missing_between": {"tree": "第 4 条：它前面的记录没有入树的证明"},
    "checkpoint_of_another_log": {
        "tree": "检查点是另一个日志的", "signature": "不是您给的公钥签的",
    },
    "timestamp_over_another_checkpoint": {"timestamp": "时间戳盖的是另一个检查点"},
    "timestamp_changed": {"timestamp": "内容的摘要与签名里的不同：签名以后改过"},
    "unknown_format": {"file": "格式“shaoji-evidence/9”这个网页不认识"},
    "member_nobody_knows": {"file": "文件里缺了内容，或者多了不认识的内容"},
    "proof_missing": {},
    "checkpoint_missing": {},
}  # fmt: skip


@pytest.mark.browser
def test_every_bad_file_is_told_from_a_good_one_in_these_words(desk: Desk) -> None:
    expected = orjson.loads((GOLDEN / "expected.json").read_bytes())
    assert {f"bad_{name}" for name in WORDS} == set(expected)
    for name, words in WORDS.items():
        steps = desk.drop(GOLDEN / f"bad_{name}.json", *OUTSIDE)
        assert failing(steps) == words, name
        wanted = expected[f"bad_{name}"]
        assert steps[wanted["steps"][0]][0] == wanted["outcome"], name
        assert desk.summary().startswith("有不符（" if words else "相符，但有"), name
        for step in words:
            assert f"{STEPS[step][0]} {STEPS[step][1]}" in desk.summary(), name


@pytest.mark.browser
def test_what_is_not_proven_yet_is_not_called_proven(desk: Desk) -> None:
    steps = desk.drop(GOLDEN / "bad_proof_missing.json", *OUTSIDE)
    assert open_ones(steps) == NOT_HERE | {"tree"}
    assert steps["tree"][1].startswith("从第 9 条起，最后 1 条还没有入树的证明")
    steps = desk.drop(GOLDEN / "bad_checkpoint_missing.json", *OUTSIDE)
    about_it = {"tree", "signature", "witnesses", "timestamp", "outside"}
    assert open_ones(steps) == NOT_HERE | about_it


@pytest.mark.browser
def test_no_changed_byte_of_an_evidence_file_passes(desk: Desk) -> None:
    text = (GOLDEN / "early.json").read_text(encoding="utf-8")
    trust = (GOLDEN / "policy.txt").read_text() + "tsa " + print_of(make.tsa_certificate())
    held = desk.page.evaluate(CHANGE, [text, trust, []])
    assert len(held["holds"]) == 8
    places = [*range(0, len(text), 211), *range(len(text) - 40, len(text))]
    found = desk.page.evaluate(CHANGE, [text, trust, places])
    assert found["passed"] == []
    assert found["tried"] == len(places)


# In the page: change one character after the other, and see whether as many steps still hold.
CHANGE = """async ([text, trust, places]) => {
  const given = {trust: await readTrust(trust), kept: null, receipts: []};
  const holds = async told => {
    try {
      const {steps} = await checkEvidence(told, given);
      if (steps.some(one => one.outcome === "fails")) return [];
      return steps.filter(one => one.outcome === "holds").map(one => one.name);
    } catch (error) { if (error instanceof Refused) return []; throw error; }
  };
  const found = {holds: await holds(text), passed: [], tried: 0};
  for (const at of places) {
    const other = {1: "2", a: "b", A: "B"}[text[at]] ?? "1";
    const told = text.slice(0, at) + other + text.slice(at + 1);
    if ((await holds(told)).length >= found.holds.length) found.passed.push(text.slice(at - 9, at));
    found.tried++;
  }
  return found;
}"""


@pytest.mark.browser
def test_the_older_format_without_proofs_is_read_and_told_as_unproven(
    desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "events.json"
    path.write_bytes(write_bundle(make.ORIGIN, make.CASE, make.bodies()))
    steps = desk.drop(path)
    assert failing(steps) == {}
    assert steps["chain"][0] == "holds"
    assert {"tree", "signature", "pinned", "outside"} <= open_ones(steps)


# --- what comes from outside ----------------------------------------------------------------------


@pytest.mark.browser
def test_a_fingerprint_compared_by_eye_is_believed_and_another_is_not(desk: Desk) -> None:
    desk.drop(GOLDEN / "early.json")
    shown = [one.inner_text() for one in desk.page.locator("#prints .print").all()]
    assert shown[0].replace(" ", "") == make.hashlib.sha256(make.LOG.key.vkey.encode()).hexdigest()
    steps = desk.again(trust=shown[0])
    assert steps["signature"][0] == "holds"
    steps = desk.again(trust=shown[0][:-1] + ("0" if shown[0][-1] != "0" else "1"))
    assert steps["signature"][:2] == ["fails", "您给的指纹，和文件里的公钥、证书都对不上"]


@pytest.mark.browser
def test_keys_can_be_pasted_one_a_line_and_a_slip_is_told_where_it_is(desk: Desk) -> None:
    desk.drop(GOLDEN / "early.json")
    keys = [make.LOG.key.vkey, *(one.key.vkey for one in make.WITNESSES)]
    steps = desk.again(trust="\n".join(keys))
    assert [steps[name][0] for name in ("signature", "witnesses")] == ["holds", "holds"]
    steps = desk.again(trust=f"# 街道公布\n{keys[0][:-3]}xxx")
    assert desk.page.inner_text("#trust-fault").startswith("第 2 行：")
    assert steps["signature"][0] == "unchecked"
    steps = desk.again(trust=make.STRANGER.key.vkey)
    assert steps["signature"][:2] == ["fails", "不是您给的公钥签的"]
    desk.again(trust=f"log {keys[0]}")
    assert "quorum" in desk.page.inner_text("#trust-fault")


@pytest.mark.browser
def test_a_checkpoint_typed_from_paper_shows_a_rewritten_log(desk: Desk) -> None:
    note = (GOLDEN / "kept.checkpoint").read_text(encoding="utf-8")
    paper = note.split("\n\n")[0]
    desk.drop(GOLDEN / "early.json")
    steps = desk.again(kept=paper)
    assert steps["outside"][:2] == ["holds", "都是 40 条，树根相同（您给的只有文字，没有签名）"]
    desk.drop(GOLDEN / "bad_rewound_and_resigned.json")
    assert failing(desk.again(kept=paper)) == {"outside": TWO_ROOTS}
    forged = note.replace("iDmM4eBw", "iDmM4eBx")
    steps = desk.again(kept=forged, trust=(GOLDEN / "policy.txt").read_text())
    assert steps["outside"][:2] == ["unchecked", "您给的检查点签名不对，不能拿来比"]
    desk.again(kept="不是检查点")
    assert desk.page.is_visible("#kept-fault")


@pytest.mark.browser
def test_the_last_hash_printed_on_an_earlier_report_is_compared(desk: Desk) -> None:
    early = orjson.loads((GOLDEN / "early.json").read_bytes())
    paper = f"{make.ORIGIN}\n{make.CASE}\n5\n{early['events'][4]['hash']}"
    desk.drop(GOLDEN / "early.json")
    steps = desk.again(kept=paper)
    assert steps["outside"][:2] == ["holds", "第 5 条与外面保存的摘要相同"]
    desk.drop(GOLDEN / "bad_rewound_and_resigned.json")
    assert failing(desk.again(kept=paper)) == {"outside": "第 5 条与外面保存的摘要不同：历史被改过"}
    desk.drop(GOLDEN / "early.json")
    steps = desk.again(kept=paper.replace("\n5\n", "\n12\n"))
    assert steps["outside"][0] == "unchecked"
    assert "这份更旧，或者少了记录" in steps["outside"][1]


# --- proofs and receipts --------------------------------------------------------------------------


@pytest.mark.browser
def test_a_proof_with_its_receipt_is_checked_without_the_event(desk: Desk, tmp_path: Path) -> None:
    receipt = (GOLDEN / "last.receipt").read_bytes()
    bodies = make.bodies()[: make.EARLY]
    tree, places = make.leaves(bodies, make.EARLY_SIZE)
    stored = levels(tree)
    note = make.cosigned(make.checkpoint(tree))
    proof = prove(lambda k, n: stored[k][n], places[-1], note, extra=receipt)
    (tmp_path / "nine.tlog-proof").write_bytes(proof.data)
    steps = desk.drop(tmp_path / "nine.tlog-proof", GOLDEN / "policy.txt")
    told = {name: one[0] for name, one in steps.items()}
    assert told == {"file": "holds", "tree": "holds", "signature": "holds", "witnesses": "holds",
                    "outside": "not_needed", "promises": "holds"}  # fmt: skip
    # The policy wants two witnesses, and they have cosigned: they have looked at that.
    assert "见证已核对过前后一致" in steps["outside"][1]
    wrong = prove(lambda k, n: stored[k][n], places[-2], note, extra=receipt)
    (tmp_path / "wrong.tlog-proof").write_bytes(wrong.data)
    steps = desk.drop(tmp_path / "wrong.tlog-proof")
    assert failing(steps) == {"tree": "回执说的那条记录不在证明说的位置"}
    bare = prove(lambda k, n: stored[k][n], places[-1], note)
    (tmp_path / "bare.tlog-proof").write_bytes(bare.data)
    assert desk.drop(tmp_path / "bare.tlog-proof")["tree"][0] == "unchecked"
    (tmp_path / "cut.tlog-proof").write_bytes(bare.data[:60])
    assert "file" in failing(desk.drop(tmp_path / "cut.tlog-proof"))


@pytest.mark.browser
def test_a_receipt_alone_says_whose_promise_it_is(desk: Desk) -> None:
    steps = desk.drop(GOLDEN / "last.receipt")
    assert "没有给出回执公钥" in steps["promises"][1]
    steps = desk.drop(GOLDEN / "policy.txt")
    assert steps["promises"][1].startswith("签名相符；要有证据文件")


@pytest.mark.browser
def test_only_a_signed_receipt_accuses_the_log(desk: Desk, tmp_path: Path) -> None:
    promised = Receipt(make.ORIGIN, make.CASE, 3, bytes(32), "2026-03-02")
    forged = give_receipt(promised, make.KeyForTests(f"{make.ORIGIN}/receipt", word="forged"))
    (tmp_path / "forged.receipt").write_bytes(forged.data)
    steps = desk.drop(GOLDEN / "early.json", tmp_path / "forged.receipt", GOLDEN / "policy.txt")
    assert steps["promises"][0] == "unchecked"
    real = give_receipt(promised, make.RECEIPTS)
    stolen = Note(real.text.replace(" 3\n", " 4\n"), real.signatures)
    desk.page.click("#clear")
    (tmp_path / "stolen.receipt").write_bytes(stolen.data)
    steps = desk.drop(GOLDEN / "early.json", tmp_path / "stolen.receipt", GOLDEN / "policy.txt")
    assert failing(steps) == {"promises": "回执上的签名是假的"}


# --- sealed reports -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seal_key(tmp_path_factory: pytest.TempPathFactory) -> SealKey:
    folder = tmp_path_factory.mktemp("seal")
    private, certificate = make_seal_key("听澜街道（测试）", at=SEALED)
    (folder / "seal.key").touch(mode=0o600)
    (folder / "seal.key").write_bytes(private)
    (folder / "seal.pem").write_bytes(certificate)
    return read_seal_key(folder / "seal.key", folder / "seal.pem")


@pytest.fixture(scope="module")
def plain() -> bytes:
    html = (
        '<html lang="zh"><head><meta name="dcterms.created" content="2026-03-05T02:00:00Z">'
        "<title>报告</title></head><body><h1>问责报告</h1><p>正文</p></body></html>"
    )
    attached = File("evidence.json", "记录", (GOLDEN / "early.json").read_bytes())
    return print_pdf(html, "report.css", made_at=SEALED, attach=[attached]).data


@pytest.fixture(scope="module")
def sealed(plain: bytes, seal_key: SealKey) -> bytes:
    return seal(plain, seal_key, at=SEALED)


@pytest.fixture
def drop_pdf(desk: Desk, tmp_path: Path) -> Callable[..., dict[str, list[str]]]:
    def drop(data: bytes, *more: Path) -> dict[str, list[str]]:
        (tmp_path / "report.pdf").write_bytes(data)
        return desk.drop(tmp_path / "report.pdf", *more)

    return drop


Drop = Callable[..., dict[str, list[str]]]


def seal(*args: Any, **more: Any) -> bytes:
    """Seal in a thread of its own: playwright has an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(seal_pdf, *args, **more).result()


def print_of(certificate: Any) -> str:
    found: str = certificate.fingerprint(hashes.SHA256()).hex()
    return found


@pytest.mark.browser
def test_a_sealed_report_holds_once_its_certificate_is_known(
    desk: Desk, drop_pdf: Drop, sealed: bytes, seal_key: SealKey, tmp_path: Path
) -> None:
    steps = drop_pdf(sealed, *OUTSIDE)
    assert (failing(steps), open_ones(steps)) == ({}, NOT_HERE | {"seal"})
    assert steps["seal"][1].startswith("印章盖住整个文件，盖后未改，2026-03-05 10:00")
    certificate = load_der_x509_certificate(seal_key.certificate)
    shown = desk.page.inner_text("#prints").replace(" ", "")
    assert print_of(certificate) in shown
    (tmp_path / "seal.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    steps = desk.drop(tmp_path / "seal.pem")
    assert steps["seal"][0] == "holds"
    assert "听澜街道（测试）" in steps["seal"][1]
    assert open_ones(steps) == NOT_HERE


@pytest.mark.browser
def test_a_seal_by_somebody_else_is_told(desk: Desk, drop_pdf: Drop, sealed: bytes) -> None:
    drop_pdf(sealed)
    steps = desk.again(trust="ab" * 32)
    assert failing(steps)["seal"] == "您给的指纹，和文件里的公钥、证书都对不上"


@pytest.mark.browser
def test_a_stamped_seal_shows_the_time_of_the_stamp(
    drop_pdf: Drop, plain: bytes, seal_key: SealKey
) -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    stamper = DummyTimeStamper(
        asn1_x509.Certificate.load(make.tsa_certificate(rsa_key).public_bytes(Encoding.DER)),
        asn1_keys.PrivateKeyInfo.load(
            rsa_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        ),
        fixed_dt=datetime(2026, 3, 5, 3, tzinfo=UTC),
    )  # type: ignore[no-untyped-call]
    steps = drop_pdf(seal(plain, seal_key, at=SEALED, tsa=stamper))
    assert steps["seal"][0] == "unchecked"
    assert "2026-03-05 11:00（有时间戳" in steps["seal"][1]


@pytest.mark.browser
def test_no_changed_byte_of_a_sealed_report_keeps_its_seal(
    desk: Desk, sealed: bytes, seal_key: SealKey
) -> None:
    places = [*range(0, len(sealed), 499), *range(len(sealed) - 30, len(sealed))]
    known = print_of(load_der_x509_certificate(seal_key.certificate))
    told = [base64.b64encode(sealed).decode(), known, places]
    found = desk.page.evaluate(CHANGE_PDF, told)
    assert found == {"held": True, "passed": [], "tried": len(places)}


CHANGE_PDF = """async ([data, print, places]) => {
  const given = {trust: {...NOTHING.trust, prints: [print]}, kept: null, receipts: []};
  const bytes = unbase64(data);
  const holds = async () => {
    try {
      const {steps} = await checkPdf(bytes, given);
      return steps.find(one => one.name === "seal").outcome === "holds";
    } catch (error) { if (error instanceof Refused) return false; throw error; }
  };
  const found = {held: await holds(), passed: [], tried: 0};
  for (const at of places) {
    bytes[at] ^= 1;
    if (await holds()) found.passed.push(at);
    bytes[at] ^= 1;
    found.tried++;
  }
  return found;
}"""


@pytest.mark.browser
def test_what_was_done_to_a_report_after_it_was_sealed_is_told(
    drop_pdf: Drop, plain: bytes, sealed: bytes
) -> None:
    added = failing(drop_pdf(sealed + b"\n% more\n"))
    assert added == {"seal": "印章没有盖住整个文件：盖章以后又加了内容"}
    second = sealed + later_revision(sealed)
    assert failing(drop_pdf(second)) == added
    edited = io.BytesIO()
    with pikepdf.open(io.BytesIO(sealed)) as pdf:
        pdf.Root.Lang = "en"
        pdf.save(edited)
    assert "seal" in failing(drop_pdf(edited.getvalue()))
    flipped = bytearray(sealed)
    flipped[3000] ^= 1
    assert failing(drop_pdf(bytes(flipped))) == {"seal": "内容的摘要与签名里的不同：签名以后改过"}
    assert "没有印章" in failing(drop_pdf(plain))["seal"]


@pytest.mark.browser
def test_every_golden_report_is_judged_as_it_is_named(desk: Desk) -> None:
    folder = GOLDEN.parent / "pdfs"
    outside = (*OUTSIDE, folder / "seal.pem")
    for name in ("good", "good_stamped"):
        steps = desk.drop(folder / f"{name}.pdf", *outside)
        assert (failing(steps), open_ones(steps)) == ({}, NOT_HERE), name
    for path in sorted(folder.glob("bad_*.pdf")):
        steps = desk.drop(path, *outside)
        # One that cannot be opened at all has one step only.
        assert "seal" in failing(steps) or set(steps) == {"file"}, path.name
    for path in sorted(folder.glob("hostile_*.pdf")):
        assert failing(desk.drop(path, *outside)), path.name


def later_revision(data: bytes) -> bytes:
    """A revision behind the last one that says nothing: a table of no objects and a trailer."""
    start = re.findall(rb"startxref\s+(\d+)", data)[-1].decode()
    root = re.findall(rb"/Root (\d+ 0 R)", data)[-1].decode()
    trailer = f"trailer\n<< /Size 30 /Root {root} /Prev {start} >>\n"
    return f"xref\n0 0\n{trailer}startxref\n{len(data)}\n%%EOF\n".encode()


@pytest.mark.browser
def test_pdfs_that_cannot_be_read_are_refused_and_not_guessed_at(
    drop_pdf: Drop, plain: bytes
) -> None:
    assert "结尾不完整" in failing(drop_pdf(plain[: len(plain) // 2]))["file"]
    secret, none, two = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with pikepdf.open(io.BytesIO(plain)) as pdf:
        pdf.save(secret, encryption=pikepdf.Encryption(owner="o", user=""))
    assert "加了密" in failing(drop_pdf(secret.getvalue()))["file"]
    with pikepdf.open(io.BytesIO(plain)) as pdf:
        del pdf.attachments["evidence.json"]
        pdf.save(none)
    assert "没有附证据文件" in failing(drop_pdf(none.getvalue()))["file"]
    with pikepdf.open(io.BytesIO(plain)) as pdf:
        pdf.attachments["events.json"] = pdf.attachments["evidence.json"].get_file().read_bytes()
        pdf.save(two)
    assert "不止一个证据文件" in failing(drop_pdf(two.getvalue()))["file"]


@pytest.mark.browser
def test_other_ways_of_writing_the_same_pdf_are_read_too(drop_pdf: Drop, plain: bytes) -> None:
    for mode in pikepdf.ObjectStreamMode:
        out = io.BytesIO()
        with pikepdf.open(io.BytesIO(plain)) as pdf:
            pdf.save(out, object_stream_mode=mode)
        assert drop_pdf(out.getvalue())["chain"][0] == "holds", mode


# --- hostile files --------------------------------------------------------------------------------


@pytest.mark.browser
def test_words_in_a_file_stay_words(desk: Desk, tmp_path: Path) -> None:
    hostile = '<img src=x onerror="document.title=1"><script>alert(1)</script>'
    first = orjson.loads(make.bodies()[0])
    first["data"]["title"] = hostile
    first["actor"]["person"] = "<b>p-0001</b>"
    path = tmp_path / "<i>events<i>.json"
    path.write_bytes(write_bundle(make.ORIGIN, make.CASE, [canonical(first)]))
    assert failing(desk.drop(path)) == {}
    shown = desk.page.inner_text("#record")
    assert hostile in shown
    assert "<b>p-0001</b>" in shown
    assert desk.page.locator("main img, main b b, main i, main script").count() == 0
    assert desk.page.title() == "核对记录 · 哨迹"


@pytest.mark.browser
def test_files_too_large_too_deep_or_no_files_of_ours_are_refused_in_words(
    desk: Desk, tmp_path: Path
) -> None:
    def refused(data: bytes) -> str:
        (tmp_path / "x").write_bytes(data)
        return failing(desk.drop(tmp_path / "x"))["file"]

    with (tmp_path / "large.pdf").open("wb") as file:
        file.write(b"%PDF-2.0\n")
        file.truncate(200 * 1024 * 1024)
    assert "200 MB，超过 64 MB" in failing(desk.drop(tmp_path / "large.pdf"))["file"]
    assert "嵌套太深" in refused(b'{"a":' + b"[" * 1_000_000)
    assert "两个“head”" in refused(b'{"format":"shaoji-evidence/2","head":"","head":""}')
    assert "不是完整的 JSON" in refused(b'{"format":"shaoji-evid')
    assert "不是 UTF-8" in refused(b'{"format":"\xff"}')
    assert "不认识这个文件" in refused(b"PK\x03\x04 something else")
    assert "不认识这个文件" in refused(b"")
    same = json.dumps(orjson.loads((GOLDEN / "early.json").read_bytes()), ensure_ascii=False)
    assert "不是当初写成的样子" in refused(same.encode())


@pytest.mark.browser
def test_a_stream_that_unpacks_to_too_much_is_not_unpacked(drop_pdf: Drop) -> None:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(100)) + packer.flush()
    told = drop_pdf(pdf_around(packed))
    assert "解开以后太大" in failing(told)["file"]


@pytest.mark.browser
def test_a_pdf_that_goes_in_circles_ends(drop_pdf: Drop) -> None:
    circle = b"%PDF-1.7\nxref\n0 0\ntrailer\n<< /Root 1 0 R /Prev 9 >>\nstartxref\n9\n%%EOF\n"
    assert "绕圈" in failing(drop_pdf(circle))["file"]
    deep = b"%PDF-1.7\nxref\n0 0\ntrailer\n" + b"[" * 100_000 + b"\nstartxref\n9\n%%EOF\n"
    assert "嵌套太深" in failing(drop_pdf(deep))["file"]


def pdf_around(packed: bytes) -> bytes:
    """A PDF whose attached evidence.json is this FlateDecode stream."""
    objects = [
        b"<< /Type /Catalog /Names << /EmbeddedFiles 2 0 R >> >>",
        b"<< /Names [ (evidence.json) 3 0 R ] >>",
        b"<< /F (evidence.json) /UF (evidence.json) /EF << /F 4 0 R >> >>",
        b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed),
    ]
    out, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 5\n0000000000 65535 f \n" + table + trailer


# --- browsers and people --------------------------------------------------------------------------


@pytest.mark.browser
def test_without_ed25519_signatures_are_told_as_not_checked(sit: Sit) -> None:
    desk = sit(
        before="""const known = crypto.subtle.importKey.bind(crypto.subtle);
        crypto.subtle.importKey = (format, key, how, ...rest) => how.name === "Ed25519"
          ? Promise.reject(new DOMException("no", "NotSupportedError"))
          : known(format, key, how, ...rest);"""
    )
    steps = desk.drop(GOLDEN / "early.json", *OUTSIDE)
    assert failing(steps) == {}
    for name in ("signature", "witnesses", "promises"):
        assert steps[name][0] == "unchecked", name
        assert "这个浏览器不支持 Ed25519" in steps[name][1]
    assert steps["tree"][0] == "holds"
    steps = desk.drop(GOLDEN / "bad_changed_signature.json")
    assert steps["signature"][0] == "unchecked"


@pytest.mark.browser
def test_without_webcrypto_nothing_is_called_right(sit: Sit) -> None:
    desk = sit(before="Object.defineProperty(globalThis, 'crypto', {value: {}})")
    assert "不能计算摘要" in failing(desk.drop(GOLDEN / "early.json"))["file"]


@pytest.mark.browser
def test_what_the_record_says_is_listed_for_whoever_checks_it(desk: Desk) -> None:
    desk.drop(GOLDEN / "good.json")
    shown = desk.page.inner_text("#record")
    for words in ("workshop-2026-00001（听澜-坊-2026-00001）", "车棚飞线充电", "21 条，北京时间"):
        assert words in shown
    rows = desk.page.locator("#record .rows li")
    assert rows.count() == 21
    assert rows.first.inner_text().split() == [
        "#1", "上报，立案case.opened", "2026-03-02", "09:00", "p-0001（u-grid-1）",
    ]  # fmt: skip
    assert "系统" in rows.nth(1).inner_text()


@pytest.mark.browser
def test_the_page_speaks_english_too(desk: Desk) -> None:
    desk.drop(GOLDEN / "bad_changed_byte.json")
    desk.page.click("#language")
    assert desk.summary().startswith("Something does not hold (2 every event's hash")
    # Whose certificate it is stands in the file: no word of ours.
    steps = desk.page.inner_text(".steps").replace(make.TSA_NAME, "")
    assert not re.search("[\u4e00-\u9fff]", steps)
    assert not re.search("[\u4e00-\u9fff]", desk.page.inner_text("#drop"))
    desk.page.click("#language")
    assert desk.summary().startswith("有不符")


@pytest.mark.browser
def test_everything_can_be_cleared_before_the_next_one_sits_down(desk: Desk) -> None:
    desk.drop(GOLDEN / "early.json", *OUTSIDE)
    desk.page.click("#clear")
    assert not desk.page.is_visible("#result")
    assert not desk.page.is_visible("#record")
    assert desk.page.input_value("#trust") == desk.page.input_value("#kept") == ""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_off_or_too_small_for_a_thumb(sit: Sit, scheme: str) -> None:
    desk = sit(viewport=PHONE, color_scheme=scheme)
    for name in ("early", "bad_forked_tree"):
        desk.drop(GOLDEN / f"{name}.json", *OUTSIDE)
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert desk.page.evaluate(SMALL, 44) == []


@pytest.mark.browser
def test_a_file_can_be_dropped_and_a_drop_beside_the_frame_does_not_open_it(desk: Desk) -> None:
    text = (GOLDEN / "early.json").read_text(encoding="utf-8")
    drop = """text => {
      const given = new DataTransfer();
      given.items.add(new File([text], "early.json"));
      const event = new DragEvent("drop", {dataTransfer: given, bubbles: true, cancelable: true});
      document.querySelector("h1").dispatchEvent(event);
      return event.defaultPrevented;
    }"""
    assert desk.page.evaluate(drop, text)
    desk.page.wait_for_selector(".sum")
    assert desk.steps()["chain"][0] == "holds"
    assert leaf_hash(make.bodies()[8]).hex()[:8] in desk.page.inner_text("#record")
