"""Checks what .ci/page has collected: the document, the screenshots, and what the browser asked for.

page.py URL FOLDER SHOTS
"""

import json
import re
import struct
import sys
import urllib.request
from html.parser import HTMLParser
from pathlib import Path


class Text(HTMLParser):
    """The visible text of a document and the attributes of its elements."""

    def __init__(self):
        super().__init__()
        self.text, self.classes, self.tags, self.hidden = [], [], [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")
        self.tags.append(tag)
        self.classes.append(dict(attrs).get("class") or "")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.text.append(data)


# What both documents show, and what they show of the run that is looked at: the failed one when nobody has chosen.
ALWAYS = (
    "1 run failed", "1 running", "1 succeeded", "lake-events-2026-03-31", "lake-events-2026-03-30", "Levee.CopyIncomplete",
    "lake-events-31-mar-2026", "levee-job-poll", "Active", "BucketProvision", "<script>document.title='owned'</script>",
)
CHOSEN = {
    "dom": (("ended in ReportParse", "objects were not copied", "redriven 1×"), ("done", "failed")),
    "running-dom": (("now in JobPoll",), ("done", "running", "waiting")),
}


def of_document(folder: Path, name: str) -> list[str]:
    page = Text()
    source = (folder / f"out-{name}").read_text()
    page.feed(source)
    text = re.sub(r"\s+", " ", " ".join(page.text))
    texts, statuses = CHOSEN[name]
    problems = [f"{name}: the page does not show {wanted!r}" for wanted in ALWAYS + texts if wanted not in text]
    problems += [f"{name}: no state is {status}" for status in statuses if f"node {status}" not in page.classes]
    if "owned" in (re.search(r"<title>(.*?)</title>", source, re.S) or [""])[0] or page.tags.count("img"):
        problems.append("a text of the twin was read as HTML")
    if problems:
        problems.append(f"the page says: {text[:1500]}")
    return problems


def of_header(url: str) -> list[str]:
    request = urllib.request.Request(url + "/", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request) as answer:
        policy, body = answer.headers["Content-Security-Policy"] or "", answer.read().decode()
    problems = [f"the policy has no {part}" for part in ("default-src 'none'", "connect-src 'self'") if part not in policy]
    elsewhere = set(re.findall(r"""(?:src|href)=["']((?:https?:)?//[^"']+)""", body))
    return problems + [f"the page names {address}" for address in elsewhere]


def of_requests(url: str, folder: Path) -> list[str]:
    """Every request that a page made, from Chromium's own log; requests of the browser itself have no initiator."""
    problems = []
    for log in folder.glob("net-*.json"):
        text = log.read_text()
        try:
            events = json.loads(text)["events"]
        except json.JSONDecodeError:
            # Chromium may be gone before it has closed the list.
            events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
        params = [event.get("params", {}) for event in events]
        asked = {p["url"] for p in params if str(p.get("url", "")).startswith(("http", "ws")) and p.get("initiator", "not an origin") != "not an origin"}
        first = {p["url"] for p in params if str(p.get("url", "")).startswith(url)}
        if not first:
            problems.append(f"{log.name}: nothing was asked of {url}")
        problems += [f"{log.name}: the page asked for {other}" for other in asked if not other.startswith(url + "/")]
    return problems


def of_screenshots(shots: Path) -> list[str]:
    problems = []
    for path in sorted(shots.glob("*.png")):
        wanted = tuple(map(int, path.name.split("-")[0].split("x")))
        size = struct.unpack(">II", path.read_bytes()[16:24])
        if size != wanted or path.stat().st_size < 10_000:
            problems.append(f"{path}: {size[0]}x{size[1]}, {path.stat().st_size} bytes")
    return problems or ([] if len(list(shots.glob("*.png"))) == 6 else ["screenshots are missing"])


def main() -> None:
    url, folder, shots = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    problems = of_document(folder, "dom") + of_document(folder, "running-dom") + of_header(url) + of_requests(url, folder) + of_screenshots(shots)
    sys.exit("\n".join(problems) or 0)


main()
