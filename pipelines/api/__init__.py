"""HTTP manners of the Social Connect API: tokens, request budget, retries, errors and paging. Knows no warehouse.

with SocialConnect("https://api.engagor.com", [SecretStr(token)]) as api:
    for page in api.pages("/123/inbox/mentions", {"sort": "dateadd:asc", "limit": 100, ...}):
        ...
"""

from pipelines.api.budget import RequestBudget
from pipelines.api.client import Page, RequestReport, Response, SocialConnect, Timeouts
from pipelines.api.errors import (
    ApiError,
    AuthenticationFailed,
    BudgetUsedUp,
    ForeignNextUrl,
    InvalidParameter,
    NotFound,
    NotSent,
    PagingBroken,
    PermissionDenied,
    RateLimitReached,
    RenewalRefused,
    RepeatedPage,
    ResponseUnreadable,
    ServerFailed,
    SocialConnectError,
    StopRequested,
    TransportFailed,
)
from pipelines.api.reach import Reach, reach
from pipelines.api.renewal import Renewal

__all__ = [
    "ApiError",
    "AuthenticationFailed",
    "BudgetUsedUp",
    "ForeignNextUrl",
    "InvalidParameter",
    "NotFound",
    "NotSent",
    "Page",
    "PagingBroken",
    "PermissionDenied",
    "RateLimitReached",
    "Reach",
    "Renewal",
    "RenewalRefused",
    "RepeatedPage",
    "RequestBudget",
    "RequestReport",
    "Response",
    "ResponseUnreadable",
    "ServerFailed",
    "SocialConnect",
    "SocialConnectError",
    "StopRequested",
    "Timeouts",
    "TransportFailed",
    "reach",
]
