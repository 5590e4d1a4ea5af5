"""Webhooks of the caller."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from pytupli_registry.server.database.schema import Webhook
from pytupli_registry.server.dependencies import BaseUrl, CurrentCaller, CurrentHub, Segment
from pytupli_registry.server.errors import NotImplementedHere
from pytupli_registry.server.services import webhooks
from pytupli_registry.server.services.hub import Hub
from pytupli_registry.server.services.permissions import Caller
from pytupli_registry.server.wire.texts import Line
from pytupli_registry.server.wire.webhooks import LONGEST_URL, Watched

router = APIRouter(tags=["webhooks"])

PLACE = "/api/settings/webhooks"
MOST_WATCHED = 100


class WebhookBody(BaseModel):
    """What a webhook shall be; what is left out, or empty, stays as it is."""

    url: Annotated[str, Field(max_length=LONGEST_URL)] | None = None
    watched: list[Watched] | None = Field(default=None, max_length=MOST_WATCHED)
    domains: list[Line] | None = Field(default=None, max_length=10)
    secret: Line | None = None
    job: Line | None = Field(default=None, alias="jobSourceId")

    def changes(self) -> webhooks.Changes:
        """Return what the services work with.

        Raises:
            NotImplementedHere: it shall start a job.
        """
        if self.job is not None:
            raise NotImplementedHere("This Hub runs no jobs: a webhook needs a 'url'.")
        return webhooks.Changes(self.url, self.watched, self.domains, self.secret)


@router.get(PLACE)
def list_webhooks(hub: CurrentHub, caller: CurrentCaller) -> list[dict[str, Any]]:
    """List the caller's webhooks."""
    with hub.database.read() as session:
        return [_shown(webhook, caller) for webhook in webhooks.list_webhooks(session, caller)]


@router.post(PLACE)
def create_webhook(
    hub: CurrentHub, caller: CurrentCaller, base: BaseUrl, body: WebhookBody
) -> dict[str, Any]:
    """Create a webhook."""
    hosts = hub.settings.webhook_hosts
    with hub.database.write() as session:
        made = webhooks.create_webhook(session, caller, body.changes(), base_url=base, hosts=hosts)
        return {"webhook": _shown(made, caller)}


@router.get(PLACE + "/{webhook_id}")
def get_webhook(hub: CurrentHub, caller: CurrentCaller, webhook_id: Segment) -> dict[str, Any]:
    """Tell about a webhook."""
    with hub.database.read() as session:
        return {"webhook": _shown(webhooks.find_webhook(session, caller, webhook_id), caller)}


@router.post(PLACE + "/{webhook_id}")
def change_webhook(
    hub: CurrentHub, caller: CurrentCaller, webhook_id: Segment, body: WebhookBody
) -> dict[str, Any]:
    """Change a webhook."""
    return _changed(hub, caller, webhook_id, body.changes())


@router.post(PLACE + "/{webhook_id}/enable")
def enable_webhook(hub: CurrentHub, caller: CurrentCaller, webhook_id: Segment) -> dict[str, Any]:
    """Let a webhook be told again of what happens from now on."""
    return _changed(hub, caller, webhook_id, webhooks.Changes(disabled=False))


@router.post(PLACE + "/{webhook_id}/disable")
def disable_webhook(hub: CurrentHub, caller: CurrentCaller, webhook_id: Segment) -> dict[str, Any]:
    """Tell a webhook nothing any more."""
    return _changed(hub, caller, webhook_id, webhooks.Changes(disabled=True))


@router.delete(PLACE + "/{webhook_id}")
def delete_webhook(hub: CurrentHub, caller: CurrentCaller, webhook_id: Segment) -> dict[str, Any]:
    """Delete a webhook."""
    with hub.database.write() as session:
        webhooks.delete_webhook(session, caller, webhook_id)
    return {"success": True}


def _changed(hub: Hub, caller: Caller, webhook_id: str, changes: webhooks.Changes) -> dict[str, Any]:
    hosts = hub.settings.webhook_hosts
    with hub.database.write() as session:
        changed = webhooks.change_webhook(session, caller, webhook_id, changes, hosts=hosts)
        return {"webhook": _shown(changed, caller)}


def _shown(webhook: Webhook, caller: Caller) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "job": None,
        "watched": webhook.watched,
        "domains": webhook.domains,
        "disabled": webhook.disabled,
        # Whoever knows it can pretend to be this Hub: a token that may only read shall not give it away.
        "secret": webhook.secret if caller.writes else None,
    }
