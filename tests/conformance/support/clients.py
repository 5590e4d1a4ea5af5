"""The releases of the client, each in a virtual environment of its own."""

import fcntl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).parents[3] / ".venvs"
TOOLS = ("pytest==8.4.2", "packaging", "hf_xet==1.8.0")


@dataclass(frozen=True)
class Client:
    """One release of huggingface_hub; the newest is the one in the project's own environment, with Minari."""

    name: str
    release: str | None = None
    tools: tuple[str, ...] = TOOLS

    def python(self) -> Path:
        """Return the interpreter, making its environment when it is not there yet."""
        if self.release is None:
            return Path(sys.executable)
        place = HOME / f"huggingface-hub-{self.release}"
        HOME.mkdir(exist_ok=True)
        with (HOME / f".{place.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / "complete").exists():
                self._install(place)
        return place / "bin" / "python"

    def _install(self, place: Path) -> None:
        # Without a pip of its own: that would take longer than the rest.
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", place], check=True)
        pip = [sys.executable, "-m", "pip", "--python", place, "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, f"huggingface_hub=={self.release}", *self.tools], check=True)
        (place / "complete").touch()


NEWEST = Client("newest")
OLDEST = Client("0.24", "0.24.7")
# What our own package asks for at least; it comes with nothing else.
OLDEST_OF_OURS = Client("0.25", "0.25.0", tools=())
CLIENTS = {
    client.name: client
    for client in (
        NEWEST,
        Client("1.19", "1.19.0"),
        Client("0.36", "0.36.2"),
        Client("0.30", "0.30.2"),
        OLDEST,
    )
}
