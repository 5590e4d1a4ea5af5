"""The tables. Constraints make wrong states impossible; what is derived from git objects is marked so.

Names are compared case-insensitively on the Hub: ``*_key`` columns hold the folded name and carry the
uniqueness. Times are UTC. Git object ids are 40 hexadecimal digits, blobs are named by the 64 of their SHA-256.
"""

from __future__ import annotations

from pytupli_registry.server.database.schema.accounts import (
    Account,
    DeviceLogin,
    Membership,
    Organization,
    Token,
    User,
)
from pytupli_registry.server.database.schema.base import ID, Base, UTCDateTime, now
from pytupli_registry.server.database.schema.blobs import Blob, RepositoryBlob, Upload, UploadPart, Xorb
from pytupli_registry.server.database.schema.datasets import DatasetFacts, EpisodeStatistics
from pytupli_registry.server.database.schema.discussions import Discussion, DiscussionEvent
from pytupli_registry.server.database.schema.history import Commit, GitBlob, Ref, Tree
from pytupli_registry.server.database.schema.repositories import (
    AccessRequest,
    Like,
    Redirect,
    Repository,
    RepositoryTag,
)
from pytupli_registry.server.database.schema.state import HubState
from pytupli_registry.server.database.schema.webhooks import Webhook, WebhookDelivery, WebhookWatch

__all__ = [
    "ID",
    "AccessRequest",
    "Account",
    "Base",
    "Blob",
    "Commit",
    "DatasetFacts",
    "DeviceLogin",
    "Discussion",
    "DiscussionEvent",
    "EpisodeStatistics",
    "GitBlob",
    "HubState",
    "Like",
    "Membership",
    "Organization",
    "Redirect",
    "Ref",
    "Repository",
    "RepositoryBlob",
    "RepositoryTag",
    "Token",
    "Tree",
    "UTCDateTime",
    "Upload",
    "UploadPart",
    "User",
    "Webhook",
    "WebhookDelivery",
    "WebhookWatch",
    "Xorb",
    "now",
]
