"""What an error of an S3 service means: its words without credentials, the cure, and whether a retry may help."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

__all__ = ["S3Fault", "is_missing_object", "s3_errors", "s3_fault"]

_CREDENTIALS = "renew the access key of the connection or of the AWS_* variables"
_RIGHTS = "grant s3:GetObject, s3:PutObject, s3:ListBucket and s3:DeleteObject on bucket and prefix"
_CURES = {
    "NoSuchBucket": "create the bucket or correct its name",
    "InvalidBucketName": "correct the bucket's name",
    "AccessDenied": _RIGHTS,
    "AllAccessDisabled": _RIGHTS,
    "AccountProblem": _RIGHTS,
    "403": _RIGHTS,
    "ExpiredToken": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "RequestTimeTooSkewed": "set this machine's clock",
    "PermanentRedirect": "set the bucket's own region",
    "EntityTooLarge": "choose shorter windows (`every`)",
}
_RETRYABLE_CODES = {
    "BadDigest",
    "IncompleteBody",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "SlowDown",
    "Throttling",
    "XAmzContentSHA256Mismatch",
}
_WAIT = "the service may be unwell: run the task again"
_USER_IN_URL = re.compile(r"//[^/@\s]*@")
_SERVER_ERROR = 500
_TOO_MANY = 429


class S3Fault(NamedTuple):
    """An error in words, its cure, and whether a later attempt may succeed."""

    text: str
    cure: str
    retryable: bool


def s3_errors() -> tuple[type[Exception], ...]:
    """Return all that a boto3 S3 client raises on purpose."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    return (ClientError, BotoCoreError, Boto3Error)


def s3_fault(error: Exception) -> S3Fault:
    """Classify an error of `s3_errors`."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, IncompleteReadError  # noqa: A004

    text = _USER_IN_URL.sub("//", str(error))
    cause = _client_error(error, ClientError)
    if cause is not None:
        response = cause.response
        code = str(response.get("Error", {}).get("Code"))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
        retryable = code in _RETRYABLE_CODES or status >= _SERVER_ERROR or status == _TOO_MANY
        return S3Fault(text, _CURES.get(code, _WAIT if retryable else "correct what the service names"), retryable)
    if isinstance(error, (ConnectionError, HTTPClientError, IncompleteReadError)):
        return S3Fault(text, _WAIT, retryable=True)
    return S3Fault(text, "set the AWS connection, or the AWS_* variables of the environment", retryable=False)


def _client_error(error: BaseException | None, kind: type[Any]) -> Any:
    """Return the service's answer among an error and those that it was raised from."""
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def is_missing_object(error: Exception) -> bool:
    """Say whether the error means that there is no such object (a missing bucket is another matter)."""
    from botocore.exceptions import ClientError

    return isinstance(error, ClientError) and str(error.response.get("Error", {}).get("Code")) in {"404", "NoSuchKey"}
