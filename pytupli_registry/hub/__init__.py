"""Speaking to a Hub; the only part of the client that knows ``huggingface_hub``."""

from pytupli_registry.hub.administration import Administration, Member, Organization, Token, User

__all__ = ["Administration", "Member", "Organization", "Token", "User"]
