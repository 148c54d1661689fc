"""Opens pages of runs in headless Chromium and checks what the browser makes of them.

run_page.py PROFILE SHOTS
"""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

PHONE, DESK = (360, 800), (1280, 900)
# Filtering is meant to be instant; the limit is lenient because it is measured on whatever machine this is.
FILTER_LIMIT_MS = 500
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--disable-default-apps", "--disable-dev-shm-usage", "--hide-scrollbars",
)


class Browser:
    """Chromium, spoken to in the DevTools protocol: JSON messages that end with a zero byte, on its descriptors 3 and 4."""

    def __init__(self, profile: str):
        to_read, self.out = os.pipe()
        self.into, to_write = os.pipe()
        command = ["chromium", *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        # The descriptors are handed over by a shell, which can give them the numbers that Chromium looks at.
        shell = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash", *command]
        self.process = subprocess.Popen(shell, pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.number, self.rest, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def receive(self):
        while b"\0" not in self.rest:
            part = os.read(self.into, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(message)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url: str, size, theme: str, scripts: bool = True):
        (width, height), self.events = size, []
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size == PHONE)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.receive()

    def value(self, expression: str):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def complaints(self, url: str) -> list[str]:
        """What the page said on the console, and what it asked for beside itself."""
        said = []
        for event in self.events:
            params = event["params"]
            if event["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                said.append(f"the console has {json.dumps(params)[:300]}")
            elif event["method"] == "Network.requestWillBeSent":
                asked = params["request"]["url"]
                if asked != url and not asked.startswith("data:"):
                    said.append(f"the page asked for {asked}")
        return said

    def shot(self, path: Path, part: str | None = None):
        """The window, or the beginning of a part of the page."""
        options = {}
        if part:
            box = self.value(f"""(() => {{ const box = document.querySelector("{part}").getBoundingClientRect();
              return {{ x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: Math.min(box.height, 1600), scale: 1 }}; }})()""")
            options = {"clip": box, "captureBeyondViewport": True}
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **options)["data"]))

    def paper(self, path: Path) -> int:
        pdf = base64.b64decode(self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)["data"])
        path.write_bytes(pdf)
        return len(re.findall(rb"/Type\s*/Page\b", pdf))


# The widest thing is named, so that one knows what to mend.
WIDTH = """(() => {
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= room) return null;
  const wide = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > room + 1);
  return `${document.documentElement.scrollWidth} px of ${room}: ${wide.slice(0, 5).map((e) => e.tagName + "." + e.getAttribute("class")).join(", ")}`;
})()"""

# Contrast of every text with what is behind it, as WCAG 2.2 has it.
CONTRAST = """(() => {
  const parse = (color) => { const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
  const light = (rgb) => rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a > 0) return c.rgb; } return [255, 255, 255]; };
  const poor = new Map();
  let texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || ["SCRIPT", "STYLE", "title"].includes(e.tagName) || !e.getClientRects().length) continue;
    texts += 1;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(e.closest("svg") ? style.fill : style.color).rgb), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.set(`${e.tagName}.${e.className.baseVal ?? e.className}`, ratio.toFixed(2));
  }
  return { texts, poor: [...poor].map(([what, ratio]) => `${what} ${ratio}`) };
})()"""

FILTER = """(async () => {
  const input = document.getElementById("text"), times = [];
  for (const text of ["s", "sa", "sal", "sales", "sales orders", "zzz", ""]) {
    const began = performance.now();
    input.value = text;
    input.dispatchEvent(new Event("input"));
    document.body.getBoundingClientRect();
    times.push(performance.now() - began);
    await new Promise(requestAnimationFrame);
  }
  for (const button of [...document.querySelectorAll("#kinds button"), ...document.querySelectorAll("#list thead button")]) {
    const began = performance.now();
    button.click();
    document.body.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  return times;
})()"""


# The rows that the script makes are those that stand in the document.
SAME = """((html) => {
  const texts = (page) => [...page.querySelectorAll("#list tbody tr")].map((row) => row.textContent.replace(/\\s+/g, ""));
  const written = texts(new DOMParser().parseFromString(html, "text/html"));
  document.getElementById("all").click();
  const made = texts(document);
  return written.map((text, place) => [text, made[place]]).filter(([one, other]) => one !== other).slice(0, 3);
})"""


def look(browser: Browser, url: str, name: str, shots: Path) -> list[str]:
    problems = []
    for kind, size in (("phone", PHONE), ("desk", DESK)):
        for theme in ("light", "dark"):
            browser.open(url, size, theme)
            where = f"{name} {kind} {theme}"
            problems += [f"{where}: {said}" for said in browser.complaints(url)]
            if wide := browser.value(WIDTH):
                problems.append(f"{where}: the page is wider than its window: {wide}")
            contrast = browser.value(CONTRAST)
            if contrast["texts"] < 50:
                problems.append(f"{where}: only {contrast['texts']} texts were found")
            problems += [f"{where}: too little contrast: {poor}" for poor in contrast["poor"]]
            if browser.value("document.title").startswith("owned") or browser.value("document.images.length"):
                problems.append(f"{where}: a text of the run was read as HTML")
            browser.shot(shots / f"{name}-{kind}-{theme}.png")
            for part in browser.value("""[...document.querySelectorAll("main > section")].map((part) => part.id)"""):
                browser.shot(shots / f"{name}-{kind}-{theme}-{part}.png", f"#{part}")
    return problems


def on_paper(browser: Browser, url: str, name: str, shots: Path, tables: int) -> list[str]:
    browser.open(url, DESK, "dark")
    browser.value("""addEventListener("beforeprint", () => { window.printed = document.querySelectorAll("#list tbody tr:not(.more)").length; })""")
    pages = browser.paper(shots / f"{name}.pdf")
    rows, left = browser.value("window.printed ?? 0"), browser.value("""document.querySelectorAll("#list tbody tr:not(.more)").length""")
    print(f"{name}: {pages} pages on paper, with {rows} tables")
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.call("Emulation.setDeviceMetricsOverride", width=704, height=1000, deviceScaleFactor=1, mobile=False)
    browser.shot(shots / f"{name}-paper.png", "body")
    browser.shot(shots / f"{name}-paper-tables.png", "#tables")
    browser.call("Emulation.setEmulatedMedia", media="")
    problems = [] if rows == tables else [f"{name}: {rows} of {tables} tables are on paper"]
    return problems + ([] if left <= 100 and pages else [f"{name}: {left} tables are left on the screen after {pages} pages"])


def without_scripts(browser: Browser, url: str, name: str, shots: Path, tables: int) -> list[str]:
    browser.open(url, DESK, "light", scripts=False)
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    rows = len(browser.call("DOM.querySelectorAll", nodeId=root, selector="#list tbody tr:not(.more)")["nodeIds"])
    browser.shot(shots / f"{name}-without-scripts.png", "#tables")
    return [] if rows == min(tables, 200) else [f"{name}: {rows} tables are there without scripts"]


def same_rows(browser: Browser, url: str, name: str, page: Path) -> list[str]:
    browser.open(url, DESK, "light")
    differences = browser.value(f"{SAME}({json.dumps(page.read_text())})")
    return [f"{name}: a row reads {one!r}, and {other!r} by the script" for one, other in differences]


def filtering(browser: Browser, url: str) -> list[str]:
    browser.open(url, DESK, "light")
    times = browser.value(FILTER)
    print(f"5,000 tables: {len(times)} filters and orders, the slowest {max(times):.1f} ms, the limit {FILTER_LIMIT_MS} ms")
    problems = [] if max(times) <= FILTER_LIMIT_MS else [f"a filter took {max(times):.0f} ms"]
    found = browser.value("""(() => {
      document.querySelector("#kinds button").click();
      const input = document.getElementById("text");
      input.value = "SALES orders_v3";
      input.dispatchEvent(new Event("input"));
      return [...document.querySelectorAll("#list tbody th .key:first-child")].map((e) => e.textContent);
    })()""")
    if not found or not all("sales" in path and "orders_v3" in path for path in found):
        problems.append(f"the filter found {found}")
    orders = browser.value("""(() => {
      document.getElementById("text").value = "";
      const head = document.querySelectorAll("#list thead button")[5];
      head.click();
      return [document.querySelectorAll("#list thead th")[5].getAttribute("aria-sort"), document.querySelectorAll("[aria-sort]").length];
    })()""")
    return problems if orders in (["descending", 1], ["ascending", 1]) else problems + [f"the order is told as {orders}"]


def main() -> None:
    profile, shots = sys.argv[1], Path(sys.argv[2])
    pages = {path.stem: path.resolve().as_uri() for path in sorted((shots / "pages").glob("*.html"))}
    browser = Browser(profile)
    problems = [] if set(pages) == {"degraded", "first", "good", "many"} else [f"the pages are {sorted(pages)}"]
    try:
        for name, url in pages.items():
            problems += look(browser, url, name, shots)
        for name, tables in (("good", 412), ("many", 5000), ("degraded", 412)):
            problems += on_paper(browser, pages[name], name, shots, tables)
            problems += without_scripts(browser, pages[name], name, shots, tables)
            problems += same_rows(browser, pages[name], name, shots / "pages" / f"{name}.html")
        problems += filtering(browser, pages["many"])
    finally:
        browser.process.kill()
        browser.process.wait()
    sys.exit("\n".join(problems) or 0)


main()
