"""Google's fourth version of signed URLs as its documentation has it, checked by another implementation than Google's.

https://cloud.google.com/storage/docs/authentication/canonical-requests: what is signed is the method, the path, the
sorted query without its signature, the headers that it names, and `UNSIGNED-PAYLOAD`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EMAIL = "links@tests.iam.gserviceaccount.com"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_STAMP = "%Y%m%dT%H%M%SZ"


def connection() -> str:
    """An Airflow connection of EMAIL's, whose key nobody exchanges for a token here."""
    key = _KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file = {"type": "service_account", "client_email": EMAIL, "private_key": key.decode(), "project_id": "tests"}
    extra = {"keyfile_dict": json.dumps({**key_file, "token_uri": "http://127.0.0.1:9/"}), "project": "tests"}
    return json.dumps({"conn_type": "google_cloud_platform", "extra": extra})


def refusal(method: str, target: str, headers: Mapping[str, str]) -> str | None:
    """Why Google would refuse a request for a signed URL; None for one that it serves."""
    where = urlsplit(target)
    query = dict(parse_qsl(where.query, keep_blank_values=True))
    signature = query.pop("X-Goog-Signature")
    begun = datetime.strptime(query["X-Goog-Date"], _STAMP).replace(tzinfo=UTC)
    if datetime.now(UTC) > begun + timedelta(seconds=int(query["X-Goog-Expires"])):
        return "ExpiredToken"
    email, _, scope = query["X-Goog-Credential"].partition("/")
    named = query["X-Goog-SignedHeaders"].split(";")
    asked = "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in sorted(query.items()))
    sent = {name.lower(): value for name, value in headers.items()}
    said = "".join(f"{name}:{sent[name].strip()}\n" for name in named)
    canonical = "\n".join([method, where.path, asked, said, ";".join(named), "UNSIGNED-PAYLOAD"])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signed = "\n".join([query["X-Goog-Algorithm"], query["X-Goog-Date"], scope, digest])
    try:
        _KEY.public_key().verify(bytes.fromhex(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return "SignatureDoesNotMatch"
    return None if email == EMAIL and scope == f"{begun:%Y%m%d}/auto/storage/goog4_request" else "InvalidCredential"
