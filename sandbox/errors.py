"""Errors as the API answers them: flat, without the envelope of a success."""

from typing import Any


class ApiError(Exception):
    """An answer with an error: `{"code", "error", "error_description", "error_details"?}`."""

    def __init__(self, status: int, error: str, description: str, details: list[Any] | None = None) -> None:
        super().__init__(f"{status} {error}: {description}")
        self.status = status
        self.error = error
        self.description = description
        self.details = details

    def json(self) -> dict[str, Any]:
        """The body of the answer."""
        body: dict[str, Any] = {"code": self.status, "error": self.error, "error_description": self.description}
        if self.details:
            body["error_details"] = self.details
        return body


def invalid_parameter(name: str, value: str, expected: str) -> ApiError:
    """A parameter that cannot be read."""
    return ApiError(400, "invalid_parameter", f"Parameter '{name}' is invalid: expected {expected}.", [{name: value}])


def not_found(what: str) -> ApiError:
    """Something that does not exist."""
    return ApiError(404, "not_found", f"{what} was not found.")


def no_permission(what: str) -> ApiError:
    """Something that the token may not see."""
    return ApiError(403, "no_permission", f"You have no permission to {what}.")


def feature_limit_reached(feature: str) -> ApiError:
    """Something that the account's plan does not have."""
    return ApiError(403, "feature_limit_reached", f"The plan of this account does not have {feature}.")
