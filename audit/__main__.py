"""python -m audit FILE: verifies what was handed over, with nothing but what is given from outside.

Exit status: 0 all that is wanted holds; 1 something is wrong; 2 the call is; 3 something that is
wanted could not be checked.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from cryptography.x509 import Certificate, load_pem_x509_certificates

from audit.checkpoint import open_checkpoint
from audit.exported import verify_links
from audit.note import NotANote, Note, read_vkey
from audit.offline import Beside, verify_path
from audit.policy import NotAPolicy, Policy, read_policy
from audit.steps import STEPS, lines
from audit.trust import Trust

SUMMARY = {
    0: "全部相符 / all of it holds",
    1: "有不符之处 / it does not hold",
    3: "没有发现不符，但有没能核对的；确知不需要的，用 --without 写明"
    " / nothing is wrong, but something could not be checked (--without: what need not be)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verifier; returns the exit status."""
    told = _parser().parse_args(arguments)
    beside = Beside(event=told.event, evidence=told.evidence)
    try:
        trust = trust_of(told)
        quick = told.quick and told.file.is_dir()
        found = verify_links(told.file, trust) if quick else verify_path(told.file, trust, beside)
    except OSError as error:
        print(f"读不了 {told.file} / cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    found = found.without(told.without)
    if told.json:
        answer = {"ok": found.ok, "status": found.exit_status, "steps": found.to_json()}
        sys.stdout.buffer.write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))
        return found.exit_status
    print("\n".join([*lines(found), SUMMARY[found.exit_status]]))
    return found.exit_status


def add_trust(parser: argparse.ArgumentParser) -> None:
    """The options by which a verifier says whom to believe."""
    add = parser.add_argument
    add(
        "--policy", type=_file(_policy), help="信任名单（C2SP tlog-policy） / whose keys to believe"
    )
    add("--checkpoint", type=_file(_checkpoint), action="append", default=[],
        help="外部保存的旧检查点，可多个 / a checkpoint kept elsewhere")  # fmt: skip
    add("--tsa-roots", type=_file(_certificates), default=[],
        help="时间戳机构的根证书（PEM） / roots of time-stamping authorities")  # fmt: skip
    add("--certificate", type=_file(_certificates), action="extend", default=[],
        help="印章的证书（PEM），可多个 / the seal's certificate")  # fmt: skip
    add("--receipt-key", type=_argument(read_vkey), action="append", default=[],
        help="回执公钥（vkey），可多个 / a key that signs receipts")  # fmt: skip


def trust_of(told: argparse.Namespace) -> Trust:
    """What the options of `add_trust` say."""
    return Trust(
        policy=told.policy,
        outside=tuple(told.checkpoint),
        stampers=tuple(told.tsa_roots),
        sealers=tuple(told.certificate),
        receipts=tuple(told.receipt_key),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m audit",
        description="脱离系统核对证据：导出的目录、证据文件、证明、回执、检查点或 PDF。"
        " / Verify an export, an evidence file, a proof, a receipt, a checkpoint or a PDF.",
    )
    parser.add_argument("file", type=Path, help="文件或目录 / a file or a folder")
    add_trust(parser)
    parser.add_argument("--event", type=_file(bytes),
                        help="证明所指的记录 / the event a proof is about")  # fmt: skip
    parser.add_argument("--evidence", type=_file(bytes),
                        help="查回执用的证据文件 / where to look a receipt up")  # fmt: skip
    parser.add_argument("--without", action="append", default=[], choices=[*STEPS, "all"],
                        help="这一步不必核对，可多个 / this step need not be done")  # fmt: skip
    parser.add_argument("--quick", action="store_true",
                        help="只看摘要、相连和树 / hashes, links and tree alone")  # fmt: skip
    parser.add_argument("--json", action="store_true")
    return parser


def _file(read: Callable[[bytes], Any]) -> Callable[[str], Any]:
    """An option that names a file; argparse tells what is wrong with it."""

    def opened(name: str) -> Any:
        try:
            return read(Path(name).read_bytes())
        except OSError as error:
            raise argparse.ArgumentTypeError(f"{name}: {error.strerror}") from None
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{name}: {error}") from None

    return opened


def _argument(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def taken(text: str) -> Any:
        try:
            return read(text)
        except NotANote as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return taken


def _policy(data: bytes) -> Policy:
    try:
        return read_policy(data.decode())
    except UnicodeDecodeError:
        raise NotAPolicy("not UTF-8") from None


def _checkpoint(data: bytes) -> Note:
    return open_checkpoint(data)[0]


def _certificates(data: bytes) -> list[Certificate]:
    return load_pem_x509_certificates(data)


if __name__ == "__main__":
    sys.exit(main())
