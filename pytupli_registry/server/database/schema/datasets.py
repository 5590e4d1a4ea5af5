"""What is known of datasets, derived from their files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pytupli_registry.server.database.schema.base import SHA256, Base, now

__all__ = ["DatasetFacts", "EpisodeStatistics"]


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
    score: Mapped[float | None]
    """Mean return on the scale on which the random policy of its benchmark has 0 and the expert 100."""
    description: Mapped[str | None] = mapped_column(Text)
    further: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Spaces in full, lengths, authors, warnings: shown, not searched."""


class EpisodeStatistics(Base):
    """What a child process read in an ``episodes.parquet``: a pure function of the bytes, so kept by their hash."""

    __tablename__ = "episode_statistics"

    sha256: Mapped[str] = mapped_column(SHA256, primary_key=True)
    """Of the file, be it a blob of the object store or a small file in the database."""
    statistics: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
