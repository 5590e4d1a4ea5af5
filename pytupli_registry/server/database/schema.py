"""The tables. Constraints make wrong states impossible; what is derived from git objects is marked so.

Names are compared case-insensitively on the Hub: ``*_key`` columns hold the folded name and carry the
uniqueness. Times are UTC. Git object ids are 40 hexadecimal digits, blobs are named by the 64 of their SHA-256.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

__all__ = [
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
    "Upload",
    "UploadPart",
    "User",
    "Webhook",
    "WebhookDelivery",
    "WebhookWatch",
    "Xorb",
    "now",
]

GIT_ID = String(40)
SHA256 = String(64)
NAME = String(96)


def now() -> datetime:
    """Return the time, aware and in UTC, to the millisecond (what clients are shown)."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python; SQLite, which has no time zones, stores it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse naive times: nobody could say what they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the zone back."""
        if value is None or value.tzinfo is not None:
            return None if value is None else value.astimezone(UTC)
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime(), dict[str, Any]: JSON, list[Any]: JSON, int: BigInteger}  # noqa: RUF012


# SQLite counts rows up by itself only in a column declared INTEGER.
ID = BigInteger().with_variant(Integer(), "sqlite")

# SQLite would give the id of a deleted last row to the next one: what was signed for a revoked token or a deleted
# repository would hold for another one.
NEVER_AGAIN = {"sqlite_autoincrement": True}


class Account(Base):
    """A name on this Hub: a user or an organization. They share one namespace."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint("kind IN ('user', 'organization')", name="kind"), NEVER_AGAIN)

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(NAME)
    name_key: Mapped[str] = mapped_column(NAME, unique=True)
    full_name: Mapped[str] = mapped_column(String(255), default="")
    details: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=now)


class User(Base):
    """What only users have. Without a password hash one cannot log in by password (sign-on comes later)."""

    __tablename__ = "users"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    email: Mapped[str | None] = mapped_column(String(320))
    email_key: Mapped[str | None] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=false())
    disabled_at: Mapped[datetime | None]


class Organization(Base):
    """What only organizations have."""

    __tablename__ = "organizations"
    __table_args__ = (
        CheckConstraint("default_visibility IN ('public', 'private')", name="default_visibility"),
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    default_visibility: Mapped[str] = mapped_column(String(8), default="private")
    members_public: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether outsiders may see that the organization exists and who belongs to it."""


class Membership(Base):
    """A user's role in an organization."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role IN ('read', 'contributor', 'write', 'admin')", name="role"),)

    organization_id: Mapped[int] = mapped_column(
        ForeignKey("organizations.account_id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.account_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Token(Base):
    """A credential; only the SHA-256 of its text is kept (it has 256 random bits, so no salt is needed).

    ``personal``: an access token made on purpose. ``session``: the cookie of a browser. ``login``: the refresh
    token of a device login; its ``device`` access tokens are its children and end with it.
    """

    __tablename__ = "tokens"
    __table_args__ = (
        CheckConstraint("role IN ('read', 'write')", name="role"),
        CheckConstraint("kind IN ('personal', 'session', 'login', 'device')", name="kind"),
        CheckConstraint("(kind = 'device') = (parent_id IS NOT NULL)", name="parent"),
        UniqueConstraint("user_id", "name"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(NAME)
    digest: Mapped[str] = mapped_column(SHA256, unique=True)
    role: Mapped[str] = mapped_column(String(5))
    kind: Mapped[str] = mapped_column(String(8), default="personal")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class DeviceLogin(Base):
    """An OAuth device login (RFC 8628) that waits for its user's consent."""

    __tablename__ = "device_logins"

    device_digest: Mapped[str] = mapped_column(SHA256, primary_key=True)
    user_code: Mapped[str] = mapped_column(String(16), unique=True)
    client: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"))
    denied: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    polled_at: Mapped[datetime | None]


class Repository(Base):
    """A repository of a user or an organization."""

    __tablename__ = "repositories"
    __table_args__ = (
        CheckConstraint("type IN ('dataset', 'model', 'space')", name="type"),
        CheckConstraint("visibility IN ('public', 'private')", name="visibility"),
        CheckConstraint("gated IN ('no', 'auto', 'manual')", name="gated"),
        UniqueConstraint("type", "owner_id", "name_key"),
        Index("ix_repositories_updated", "type", "updated_at", "id"),
        Index("ix_repositories_created", "type", "created_at", "id"),
        Index("ix_repositories_downloads", "type", "downloads", "id"),
        Index("ix_repositories_likes", "type", "likes", "id"),
        NEVER_AGAIN,
    )

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    type: Mapped[str] = mapped_column(String(8))
    owner_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="RESTRICT"), index=True)
    name: Mapped[str] = mapped_column(NAME)
    name_key: Mapped[str] = mapped_column(NAME)
    visibility: Mapped[str] = mapped_column(String(8))
    gated: Mapped[str] = mapped_column(String(6), default="no")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    downloads: Mapped[int] = mapped_column(default=0)
    likes: Mapped[int] = mapped_column(default=0)
    used_storage: Mapped[int] = mapped_column(default=0)
    """Bytes of its blobs (repository_blobs), over all history."""
    sdk: Mapped[str | None] = mapped_column(String(32))
    card: Mapped[dict[str, Any] | None]
    """Front matter of README.md at the head of ``main``; derived."""
    description: Mapped[str] = mapped_column(Text, default="")
    next_discussion: Mapped[int] = mapped_column(default=1)

    owner: Mapped[Account] = relationship(lazy="joined", innerjoin=True)

    @property
    def owner_name(self) -> str:
        """Name of the account it belongs to."""
        return self.owner.name

    @property
    def full_name(self) -> str:
        """``namespace/name``."""
        return f"{self.owner.name}/{self.name}"


class RepositoryTag(Base):
    """A searchable tag (``license:mit``, ``environment:CartPole-v1``); derived from card and facts."""

    __tablename__ = "repository_tags"
    __table_args__ = (Index("ix_repository_tags_tag", "tag_key", "repository_id"),)

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(String(255), primary_key=True)
    tag_key: Mapped[str] = mapped_column(String(255))
    position: Mapped[int] = mapped_column(default=0)


class Redirect(Base):
    """A former name of a repository."""

    __tablename__ = "redirects"

    type: Mapped[str] = mapped_column(String(8), primary_key=True)
    namespace_key: Mapped[str] = mapped_column(NAME, primary_key=True)
    name_key: Mapped[str] = mapped_column(NAME, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)


class Ref(Base):
    """A branch, a tag or a pull request's head: ``refs/heads/…``, ``refs/tags/…``, ``refs/pr/N``."""

    __tablename__ = "refs"
    __table_args__ = (
        # Checked at the end of the transaction: deleting a repository deletes both, in whatever order.
        ForeignKeyConstraint(
            ["repository_id", "commit_oid"],
            ["commits.repository_id", "commits.oid"],
            name="fk_refs_commit",
            deferrable=True,
            initially="DEFERRED",
        ),
    )

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    commit_oid: Mapped[str] = mapped_column(GIT_ID)
    message: Mapped[str] = mapped_column(Text, default="")
    updated_at: Mapped[datetime] = mapped_column(default=now)


class Commit(Base):
    """A git commit of one repository. The same commit in another repository is another row: ids give no access."""

    __tablename__ = "commits"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    oid: Mapped[str] = mapped_column(GIT_ID, primary_key=True)
    tree_oid: Mapped[str] = mapped_column(GIT_ID)
    parent_oid: Mapped[str | None] = mapped_column(GIT_ID)
    """First parent; further parents stand in ``raw`` only (merges of pull requests are squashed, so none)."""
    title: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text, default="")
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    author_name: Mapped[str] = mapped_column(NAME)
    created_at: Mapped[datetime] = mapped_column(default=now)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    """The commit object as git hashes it, without git's header."""
    orphaned_at: Mapped[datetime | None]
    """When gc first found it unreachable; making it reachable again clears this."""


class Tree(Base):
    """A git tree object, shared by all repositories; reachable only through a commit."""

    __tablename__ = "trees"

    oid: Mapped[str] = mapped_column(GIT_ID, primary_key=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    touched_at: Mapped[datetime] = mapped_column(default=now)


class GitBlob(Base):
    """A git blob object: a regular file, or the pointer that stands for a large one.

    Exactly one of these holds the bytes of the *file*: ``content`` (small regular files), or the object
    store's blob ``sha256`` (large regular files, and every LFS file).
    """

    __tablename__ = "git_blobs"
    __table_args__ = (
        CheckConstraint("(content IS NULL) <> (sha256 IS NULL)", name="one_place"),
        CheckConstraint("NOT lfs OR sha256 IS NOT NULL", name="lfs_is_stored"),
        CheckConstraint("size >= 0", name="size"),
    )

    oid: Mapped[str] = mapped_column(GIT_ID, primary_key=True)
    size: Mapped[int]
    """Bytes of the file (not of the pointer)."""
    lfs: Mapped[bool]
    sha256: Mapped[str | None] = mapped_column(ForeignKey("blobs.sha256", ondelete="RESTRICT"), index=True)
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    touched_at: Mapped[datetime] = mapped_column(default=now)


class Blob(Base):
    """Verified bytes in the object store, under ``blobs/<sha256>``."""

    __tablename__ = "blobs"
    __table_args__ = (CheckConstraint("size >= 0", name="size"),)

    sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    size: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)
    touched_at: Mapped[datetime] = mapped_column(default=now)
    """Last time an upload came to it; gc leaves it alone for the grace period after that."""


class RepositoryBlob(Base):
    """A blob that belongs to a repository: uploaded to it by someone who might, or committed in it."""

    __tablename__ = "repository_blobs"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(
        ForeignKey("blobs.sha256", ondelete="RESTRICT"), primary_key=True, index=True
    )
    uploaded_by: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Upload(Base):
    """A multipart upload under way; its parts lie in the object store under ``parts/<id>/<number>``."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), index=True)
    sha256: Mapped[str] = mapped_column(SHA256)
    size: Mapped[int]
    part_size: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UploadPart(Base):
    """A part that has arrived whole."""

    __tablename__ = "upload_parts"

    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(SHA256)


class Xorb(Base):
    """A Xet xorb of one user: its bytes until a shard used them, then only where its chunks are.

    ``segments`` maps runs of chunks to blobs: ``[[first, end, sha256, offset], …]``; ``lengths`` are the
    unpacked bytes of all chunks, little-endian u32 each.
    """

    __tablename__ = "xorbs"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[str] = mapped_column(SHA256, primary_key=True)
    size: Mapped[int]
    lengths: Mapped[bytes] = mapped_column(LargeBinary)
    stored: Mapped[bool]
    """Whether the object store still has its bytes."""
    segments: Mapped[list[Any]] = mapped_column(default=list)
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    touched_at: Mapped[datetime] = mapped_column(default=now)


class Discussion(Base):
    """A discussion or a pull request; numbers are counted per repository."""

    __tablename__ = "discussions"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'open', 'closed', 'merged')", name="status"),
        Index("ix_discussions_listing", "repository_id", "is_pull_request", "status"),
    )

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(8))
    is_pull_request: Mapped[bool]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    author_name: Mapped[str] = mapped_column(NAME)
    base: Mapped[str] = mapped_column(String(255), default="refs/heads/main")
    """The branch a pull request wants to change."""
    base_oid: Mapped[str | None] = mapped_column(GIT_ID)
    """Head of the base when the pull request was made: where its changes are counted from."""
    merge_oid: Mapped[str | None] = mapped_column(GIT_ID)
    created_at: Mapped[datetime] = mapped_column(default=now)


class DiscussionEvent(Base):
    """Something that happened in a discussion: ``comment``, ``status-change``, ``commit``, ``title-change``."""

    __tablename__ = "discussion_events"
    __table_args__ = (Index("ix_discussion_events_listing", "repository_id", "number", "position"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    number: Mapped[int]
    position: Mapped[int]
    type: Mapped[str] = mapped_column(String(16))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("users.account_id", ondelete="SET NULL"))
    author_name: Mapped[str] = mapped_column(NAME)
    created_at: Mapped[datetime] = mapped_column(default=now)
    content: Mapped[dict[str, Any]]


class Like(Base):
    """A user likes a repository."""

    __tablename__ = "likes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=now)


class Webhook(Base):
    """A URL that wants to be told of events."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(String(2048))
    watched: Mapped[list[Any]]
    domains: Mapped[list[Any]]
    secret: Mapped[str | None] = mapped_column(String(255))
    disabled: Mapped[bool] = mapped_column(default=False, server_default=false())
    base_url: Mapped[str] = mapped_column(String(2048), default="")
    """What its owner called this Hub: URLs in its deliveries begin so."""
    created_at: Mapped[datetime] = mapped_column(default=now)


class WebhookWatch(Base):
    """What a webhook watches, to be found by it; the same as ``Webhook.watched``."""

    __tablename__ = "webhook_watches"
    __table_args__ = (Index("ix_webhook_watches_name", "name_key", "type"),)

    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True)
    type: Mapped[str] = mapped_column(String(8), primary_key=True)
    """``dataset``, ``model``, ``space``, or ``user``, ``org`` for all of an account's repositories."""
    name_key: Mapped[str] = mapped_column(String(200), primary_key=True)


class WebhookDelivery(Base):
    """An event that a webhook is still to be told of; written with the change itself, gone when delivered."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=now, index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)


class AccessRequest(Base):
    """A user's wish to read a gated repository, and what became of it."""

    __tablename__ = "access_requests"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'accepted', 'rejected')", name="status"),
        UniqueConstraint("repository_id", "user_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.account_id", ondelete="CASCADE"), index=True)
    status: Mapped[str] = mapped_column(String(8))
    granted: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Given by an admin without having been asked for."""
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    rejection_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)


class DatasetFacts(Base):
    """What is known of a dataset at the head of ``main``; derived from its metadata.json and episodes.parquet."""

    __tablename__ = "dataset_facts"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True
    )
    path: Mapped[str] = mapped_column(String(512), primary_key=True)
    """Directory of the dataset in the repository, ``summer-v0``."""
    dataset_id: Mapped[str] = mapped_column(String(512))
    environment_id: Mapped[str | None] = mapped_column(String(255), index=True)
    data_format: Mapped[str | None] = mapped_column(String(32))
    minari_version: Mapped[str | None] = mapped_column(String(64))
    observation_kind: Mapped[str | None] = mapped_column(String(32), index=True)
    action_kind: Mapped[str | None] = mapped_column(String(32), index=True)
    total_episodes: Mapped[int | None]
    total_steps: Mapped[int | None]
    size: Mapped[int | None]
    """Bytes of its files."""
    return_mean: Mapped[float | None]
    return_min: Mapped[float | None]
    return_max: Mapped[float | None]
    return_std: Mapped[float | None]
    further: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Spaces in full, lengths, authors, warnings: shown, not searched."""


class EpisodeStatistics(Base):
    """What a child process read in an ``episodes.parquet``: a pure function of the bytes, so kept by their hash."""

    __tablename__ = "episode_statistics"

    sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    """Of the file, be it a blob of the object store or a small file in the database."""
    statistics: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class HubState(Base):
    """Single values of the whole Hub: ``xet_epoch``, the time of the last gc."""

    __tablename__ = "hub_state"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[dict[str, Any]]
