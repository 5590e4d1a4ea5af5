"""What becomes of an upload that builds on chunks which are gone."""

from __future__ import annotations

from pytupli_registry.server.database.schema import Xorb
from pytupli_registry.server.errors import Conflict
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.lfs.grants import UploadGrant
from pytupli_registry.server.services.xet.epochs import renew_generation
from pytupli_registry.server.services.xet.xorbs import xorb_key

__all__ = ["answer_loss"]


def answer_loss(hub: Hub, grant: UploadGrant, xorb_hash: str) -> Conflict:
    """Make the user's clients forget what they have sent, and return what to answer.

    The client does not retry a 409, and its next upload gets another base URL, to which it sends everything.
    """
    with hub.database.write() as session:
        renew_generation(hub, session, grant.user_id)
        xorb = session.get(Xorb, (grant.user_id, xorb_hash), with_for_update=True)
        if xorb is not None and xorb.stored and hub.objects.size(xorb_key(grant.user_id, xorb_hash)) is None:
            xorb.stored = False  # its object was lost; sent again, it is kept again
    return Conflict(
        f"This upload builds on content sent earlier (xorb {xorb_hash}) that this Hub does not have any more, or "
        "that you may not read any more. Start the upload again: all of it will be sent."
    )
