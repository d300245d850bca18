"""Why signing in by an identity provider did not work: a sentence for each, with what to do."""

from collections.abc import Mapping
from typing import Final

from engine.errors import NotAllowed


def _said(chinese: str, english: str) -> tuple[str, str]:
    return chinese, english


_AGAIN: Final = _said(
    "请回到登录页重新开始；一再出现，请告诉管理员，并先用账号和密码登录。",
    "Begin again at the sign-in page; if it happens again tell the administrator, and sign "
    "in with name and password meanwhile.",
)
_TELL: Final = _said(
    "没有让您进来。请告诉管理员核对统一登录的设置，并先用账号和密码登录。",
    "Nobody was let in. Tell the administrator to check the settings, and sign in with "
    "name and password meanwhile.",
)
REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "silent": _said(
        "统一登录的服务器现在没有回应，或回应不能用。请稍后再试，或用账号和密码登录。",
        "The identity provider does not answer, or not with anything usable. Try again later, "
        "or sign in with name and password.",
    ),
    "denied": _said(
        "您在统一登录那边没有同意，或被拒绝，所以没有登录。要登录请重新开始，并在那边同意。",
        "Signing in was not agreed to there, or refused. To sign in begin again, and agree there.",
    ),
    "failed": _said(
        f"统一登录那边没有办成。{_AGAIN[0]}",
        f"It did not work there. {_AGAIN[1]}",
    ),
    "client": _said(
        f"统一登录不认这台服务器（编号或密钥不对）。{_TELL[0]}",
        f"The provider does not accept this server (its id or secret). {_TELL[1]}",
    ),
    "not_asked": _said(
        "这个回答不是您刚才那次登录的：多半开了两个登录页、换了浏览器或网址，或按了后退。请回到"
        "登录页重新开始。",
        "This is no answer to a sign-in begun in this browser: perhaps there were two, or "
        "another browser or address, or you went back. Begin again at the sign-in page.",
    ),
    "late": _said(
        "在统一登录那边停留超过 10 分钟，这次登录作废。请回到登录页重新开始。",
        "More than ten minutes have passed there; this sign-in is over. Begin again at the "
        "sign-in page.",
    ),
    "used": _said(
        "这次登录的回答已经用过一次，不能再用。请回到登录页重新开始。",
        "This answer was used once and is good no more. Begin again at the sign-in page.",
    ),
    "issuer": _said(
        f"回答不是由所设的统一登录签发的。{_TELL[0]}",
        f"The answer is not from the provider that is configured. {_TELL[1]}",
    ),
    "audience": _said(
        f"回答是签发给别的系统的，不是给这里的。{_TELL[0]}",
        f"The answer was made for another system than this one. {_TELL[1]}",
    ),
    "nonce": _said(
        f"回答与您这次登录对不上，可能被人重放。{_AGAIN[0]}",
        f"The answer does not belong to this sign-in; somebody may be replaying one. {_AGAIN[1]}",
    ),
    "expired": _said(
        f"回答已经过期，或两边的时钟差得太多。{_AGAIN[0]}",
        f"The answer has expired, or the clocks of both sides differ too much. {_AGAIN[1]}",
    ),
    "early": _said(
        f"回答的时间还没有到，两边的时钟差得太多。{_TELL[0]}",
        f"The answer is dated in the future: the clocks of both sides differ too much. {_TELL[1]}",
    ),
    "key": _said(
        f"回答是用统一登录没有公布的密钥签的。{_TELL[0]}",
        f"The answer is signed with a key the provider has not published. {_TELL[1]}",
    ),
    "signature": _said(
        f"回答的签名不对，可能是伪造的。{_TELL[0]}",
        f"The signature of the answer is wrong; it may be forged. {_TELL[1]}",
    ),
    "algorithm": _said(
        f"回答没有签名，或用了不接受的签名算法。{_TELL[0]}",
        f"The answer is not signed, or by an algorithm that is not accepted. {_TELL[1]}",
    ),
    "broken": _said(
        f"回答缺少必需的内容，不能用。{_TELL[0]}",
        f"The answer lacks what it must have. {_TELL[1]}",
    ),
    "subject": _said(
        f"回答里没有可用的人员编号。{_TELL[0]}",
        f"The answer does not say who it is about in a form that can be used. {_TELL[1]}",
    ),
    "stale": _said(
        "统一登录没有证明您是刚刚重新登录的，不能算确认。请再试一次并在那边重新输入密码，或用您"
        "在这里的密码确认。",
        "The provider did not show that you signed in anew just now, so nothing was confirmed. "
        "Try again and type your password there, or confirm with your password here.",
    ),
    "often": _said(
        "从您这里用统一登录没有成功的次数太多，请过 15 分钟再试，或用账号和密码登录。",
        "Signing in by the provider failed too often from where you are. Try again in 15 "
        "minutes, or sign in with name and password.",
    ),
    "no_end": _said(
        "统一登录没有公布退出的地址。您在这里已经退出；那边请到它自己的页面退出。",
        "The provider has published no way to sign out. You are signed out here; sign out "
        "there on its own pages.",
    ),
}
# What came as the provider's word and was none; nobody meets these by an honest mistake of theirs.
FORGED: Final = frozenset(
    {"issuer", "audience", "nonce", "expired", "early", "key", "signature", "algorithm", "broken"}
)


class ProviderRefused(NotAllowed):
    """The provider, or what came as its answer, lets nobody in. reason: a key of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(*REASONS[reason])
        self.reason = reason
