"""As much of a browser as our pages need: cookies, redirects, forms; no scripts."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self

import httpx2


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """Finds forms, their fields and the visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.scripts = 0
        self.text: list[str] = []
        self.handlers: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.handlers += [name for name in said if name.startswith("on") or name == "style"]
        self.scripts += tag in ("script", "style")
        if tag == "form":
            self.forms.append(Form(said["action"], said["method"]))
            self._open = True
        elif tag in ("input", "select") and self._open and said.get("type") != "checkbox":
            self.forms[-1].fields[said["name"]] = said.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "form"

    def handle_data(self, data: str) -> None:
        self.text.append(data)


class Page:
    """An answer, read."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.path = response.url.raw_path.decode()
        reader = Reader()
        reader.feed(response.text)
        self.forms, self.scripts, self.handlers = reader.forms, reader.scripts, reader.handlers
        self.text = " ".join("".join(reader.text).split())

    def form(self, end: str) -> Form:
        """The form whose action ends so."""
        return next(form for form in self.forms if form.action.endswith(end))


class Browser:
    """Follows redirects and keeps cookies."""

    def __init__(self, endpoint: str) -> None:
        self.client = httpx2.Client(base_url=endpoint, follow_redirects=True, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def get(self, path: str) -> Page:
        return Page(self.client.get(path))

    def submit(self, page: Page, end: str, headers: dict[str, str] | None = None, **typed: str) -> Page:
        """Fill in a form and send it, as a browser would."""
        form = page.form(end)
        fields = {**form.fields, **typed}
        if form.method == "get":
            return Page(self.client.get(form.action, params=fields))
        return Page(self.client.post(form.action, data=fields, headers=headers))

    def take_session(self, cookie: str) -> None:
        """Carry somebody else's session."""
        self.client.cookies.delete("pytupli_session")
        self.client.cookies.set("pytupli_session", cookie)

    def log_in(self, name: str, password: str, page: Page | None = None) -> Page:
        return self.submit(page or self.get("/login"), "/login", name=name, password=password)
