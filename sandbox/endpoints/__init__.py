"""The endpoints: what each path answers. A new one is a function from a call to a payload, and a line in ENDPOINTS."""

from sandbox.endpoints import (
    audit,
    canned_responses,
    crisis,
    dashboards,
    identity,
    inbox,
    insights,
    publisher,
    settings,
    suggestions,
)
from sandbox.endpoints.call import Call, Endpoint, guarded, listed

__all__ = ["ENDPOINTS", "Call"]

_ENDPOINTS: tuple[tuple[str, Endpoint], ...] = (
    ("/me", identity.me),
    ("/me/accounts", identity.my_accounts),
    ("/me/connectedprofiles", identity.my_connected_profiles),
    ("/me/permissions", identity.my_permissions),
    ("/{account:int}/settings/users", listed("users")),
    ("/{account:int}/settings/user/{id:int}", settings.user),
    ("/{account:int}/settings/userroles", listed("userroles")),
    ("/{account:int}/settings/teams", listed("teams", lowest_limit=0)),
    ("/{account:int}/settings/team/{id:int}", settings.team),
    ("/{account:int}/settings/tags", listed("tags")),
    ("/{account:int}/settings/topics", listed("topics")),
    ("/{account:int}/settings/customattributes", listed("customattributes")),
    ("/{account:int}/settings/canned_responses", canned_responses.canned_responses),
    ("/{account:int}/settings/canned_responses_folders", listed("canned_responses_folders", highest_limit=50)),
    ("/{account:int}/settings/businesshoursschedules", listed("businesshoursschedules", highest_limit=50)),
    ("/{account:int}/settings/profilegroups", listed("profilegroups")),
    ("/{account:int}/settings/publishing_guidelines", listed("publishing_guidelines")),
    ("/{account:int}/crisis/plans", crisis.plans),
    ("/{account:int}/filter/suggestions", suggestions.suggestions),
    ("/{account:int}/dashboards/overview", dashboards.overview),
    ("/{account:int}/dashboards/export/{dashboard_id:int}", dashboards.export),
    ("/{account:int}/dashboards/component/{dashboard_id:int}/{component_id:int}", dashboards.component),
    ("/{account:int}/inbox/mailboxes", listed("mailboxes")),
    ("/{account:int}/inbox/mentions", inbox.mentions),
    ("/{account:int}/inbox/mention/{topic_id:int}/{id:str}", inbox.mention),
    ("/{account:int}/inbox/cases", inbox.cases),
    ("/{account:int}/inbox/case/{topic_id:int}/{id:str}", inbox.case),
    ("/{account:int}/inbox/contacts", inbox.contacts),
    ("/{account:int}/inbox/contact/{contact_id:str}", inbox.contact),
    ("/{account:int}/inbox/contact/{service:str}/{service_id:str}", inbox.contact_of_profile),
    ("/{account:int}/inbox/context/{topic_id:int}/{id:str}", inbox.context_of_mention),
    ("/{account:int}/publisher/mentions", publisher.mentions),
    ("/{account:int}/publisher/mention/{id:str}", publisher.mention),
    ("/{account:int}/settings/history", audit.history),
    ("/{account:int}/security/audit", audit.security),
    ("/{account:int}/insights/facets", insights.facets),
)
ENDPOINTS: tuple[tuple[str, Endpoint], ...] = tuple((path, guarded(endpoint)) for path, endpoint in _ENDPOINTS)
