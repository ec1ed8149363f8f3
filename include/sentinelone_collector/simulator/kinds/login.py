"""Logins, logouts and second factors."""

from __future__ import annotations

from sentinelone_collector.simulator.records import Kind, Scene

__all__ = ["FAILURE_REASONS", "KINDS"]

FAILURE_REASONS = (
    "invalid password",
    "invalid 2FA code",
    "IP/User mismatch",
    "user temporarily locked 2FA attempt",
    "no active site",
)
"""What `comments` of a failed login may say."""


def _account(scene: Scene, data: dict[str, object]) -> None:
    user = scene.user
    data["username"] = user.name if user else "unknown"
    data["userScope"] = scene.org.places[user.place].level if user else None
    data["role"] = user.role if user else None
    data["realUser"] = None


def _session(scene: Scene, data: dict[str, object]) -> None:
    user = scene.user
    _account(scene, data)
    data["ipAddress"] = user.office_ip if user else "192.0.2.77"
    data["source"] = user.source if user else "mgmt"
    data["sourceType"] = "UI"
    data["reason"] = None
    data["externalServiceId"] = None


def _second_factor(scene: Scene, data: dict[str, object]) -> None:
    _account(scene, data)
    data["recoveryEmail"] = None


KINDS = (
    Kind(
        27,
        "User Logged In",
        "The management user {username} logged in to the management console with IP Address {ipAddress}.",
        _session,
    ),
    Kind(
        33,
        "User Logged Out",
        "The management user {username} logged out of the management console with IP Address {ipAddress}.",
        _session,
    ),
    Kind(
        133,
        "Existing User Login Failure",
        "The management user {username} failed to log in to the management console with IP Address {ipAddress}.",
        _session,
    ),
    Kind(
        134,
        "Unknown User Login",
        "The unknown user {username} failed to log in to the management console with IP Address {ipAddress}.",
        _session,
    ),
    Kind(
        3624,
        "User 2FA Verification Success",
        "The management user {username} was verified by two-factor authentication.",
        _second_factor,
    ),
    Kind(
        3627,
        "User 2FA Verification Sent",
        "A verification code was sent to the management user {username}.",
        _second_factor,
    ),
)
