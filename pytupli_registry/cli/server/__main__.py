"""``python -m pytupli_registry.cli.server``."""

from pytupli_registry.cli.server.group import main

main(prog_name="pytupli-server")
