"""Every way in which a capability of the reference SDK can fail."""

import json

import httpx
from connector.oai import errors
from connector_sdk_types.generated import ConnectorErrorCode, ErrorCode


def answered(wanted):
    """What a client raises for an answer of the app."""
    headers = {"content-type": wanted.content_type} if wanted.content_type else {}
    request = httpx.Request("GET", "https://app.example/api/users?key=s3cret")
    response = httpx.Response(
        wanted.status, headers=headers, content=(wanted.text or "").encode(), request=request
    )
    response.raise_for_status()


TRANSPORT = {
    "connect": httpx.ConnectError("nobody listens"),
    "read_timeout": httpx.ReadTimeout("late"),
    "closed": httpx.RemoteProtocolError("gone"),
}


def fail(wanted):
    text = {} if wanted.text is None else {"message": wanted.text}
    if wanted.how == "status":
        return answered(wanted)
    if wanted.how in TRANSPORT:
        raise TRANSPORT[wanted.how]
    if wanted.how == "not_json":
        return json.loads("surely no JSON")
    if wanted.how == "dressed":
        raise errors.RateLimitError(
            message="slow",
            app_error_code="E7",
            hint="wait",
            retryable=False,
            throttled=False,
            refreshable=True,
            retry_after_seconds=7,
        )
    if wanted.how == "wrong_type":
        return {"woken": True}
    if wanted.how.startswith("code:"):
        raise errors.ConnectorError(error_code=ConnectorErrorCode(wanted.how[5:]), **text)
    if wanted.how.startswith("old_code:"):
        raise errors.ConnectorError(error_code=ErrorCode(wanted.how[9:]), **text)
    raise getattr(errors, wanted.how)(**text)
