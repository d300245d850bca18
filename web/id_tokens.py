"""ID tokens: what an identity provider signed about somebody, checked before anything is believed.

OpenID Connect Core 1.0, section 3.1.3.7. The only module that knows authlib and its joserfc, which
are optional (extra `sso`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from web.config import BadSettings
from web.provider_refusals import ProviderRefused

# Signatures by a key that only the provider has: no `none`, and no HS256, whose key is our secret.
ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
SKEW: Final = timedelta(seconds=60)
_CLAIMS: Final = {"iss": "issuer", "aud": "audience", "azp": "audience", "nonce": "nonce",
                  "exp": "expired", "iat": "early", "nbf": "early"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say: from whom it is, for whom, and to which question."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str = ""


Claims = Mapping[str, Any]
Read = Callable[[str, list[Any], Expected, datetime], Claims]


def reader() -> Read:
    """How tokens are read here: (token, published keys, what is expected, now by the wall clock).

    What it gives back was signed by one of the keys and says what is expected; it raises
    ProviderRefused otherwise. Raises BadSettings where authlib is not installed.
    """
    try:
        import authlib.oidc.core  # noqa: F401 - whether it is there
        import joserfc.jwt  # noqa: F401
    except ModuleNotFoundError:
        raise BadSettings(
            "配置了统一登录（SHAOJI_OIDC_ISSUER），但没有安装 authlib。"
            "请安装 shaoji[sso]，或去掉这个设置。"
            " / SHAOJI_OIDC_ISSUER is set but authlib is not installed: install shaoji[sso]."
        ) from None
    return _read


def _read(token: str, keys: list[Any], expected: Expected, now: datetime) -> Claims:
    from authlib.oidc.core import CodeIDToken
    from joserfc import errors, jwt

    try:
        told = jwt.decode(token, _key_set(keys), algorithms=ALGORITHMS)
        options: Any = {
            "iss": {"essential": True, "value": expected.issuer},
            "aud": {"essential": True, "value": expected.client_id},
            "nonce": {"essential": True},
        }
        params = {
            "nonce": expected.nonce,
            "client_id": expected.client_id,
            "access_token": expected.access_token,
        }
        claims = CodeIDToken(told.claims, told.header, options, params)
        claims.validate(now=int(now.timestamp()), leeway=int(SKEW.total_seconds()))
    except errors.ClaimError as error:
        raise ProviderRefused(_CLAIMS.get(error.claim, "broken")) from None
    except errors.BadSignatureError:
        raise ProviderRefused("signature") from None
    except errors.InvalidKeyIdError:
        raise ProviderRefused("key") from None
    except (errors.UnsupportedAlgorithmError, errors.MissingAlgorithmError):
        raise ProviderRefused("algorithm") from None
    except (errors.JoseError, ValueError, TypeError):
        raise ProviderRefused("broken") from None
    return dict(claims)


def _key_set(keys: list[Any]) -> Any:
    """The keys that sign, of those published; what cannot be read is as if it were not there."""
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry, KeySet

    found = []
    for one in keys:
        if not isinstance(one, dict) or one.get("kty") not in KEY_TYPES:
            continue
        if one.get("use", "sig") == "sig":
            try:
                found.append(JWKRegistry.import_key(one))
            except (JoseError, ValueError, TypeError, KeyError):
                continue
    return KeySet(found)
