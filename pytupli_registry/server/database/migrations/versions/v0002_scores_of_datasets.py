"""Scores and descriptions of datasets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables; those of datasets that are there come with the next commit to their repository."""
    with op.batch_alter_table("dataset_facts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("score", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("description", sa.Text(), nullable=True))
