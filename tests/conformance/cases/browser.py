"""A person at a browser: pages, cookies and forms of the hub, as far as the cases need them."""

import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar


class _Forms(HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms, self.text = [], []

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        if tag == "form":
            self.forms.append((known["action"], {}))
        elif tag == "input" and self.forms and "name" in known:
            self.forms[-1][1][known["name"]] = known.get("value") or ""

    def handle_data(self, data):
        self.text.append(data)


class Browser:
    """Opens pages and sends their forms."""

    def __init__(self):
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, url, fields=None):
        """Open a page, or send fields to it; remembers its forms and its text."""
        body = urllib.parse.urlencode(fields).encode() if fields is not None else None
        with self._opener.open(url, body, timeout=30) as answer:
            self.url = answer.geturl()
            page = answer.read().decode()
        read = _Forms()
        read.feed(page)
        self.forms, self.text = read.forms, " ".join(" ".join(read.text).split())

    def submit(self, action, **filled):
        """Send the page's form whose address ends in `action`, with these fields filled in."""
        address, fields = next(form for form in self.forms if form[0].endswith(action))
        self.open(urllib.parse.urljoin(self.url, address), {**fields, **filled})

    def log_in(self, endpoint, name, password):
        self.open(f"{endpoint}/login")
        self.submit("/login", name=name, password=password)
