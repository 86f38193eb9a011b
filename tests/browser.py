"""A real Chromium without a window, told what to do over its own protocol; tests skip where there is none."""

import base64
import json
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0")
FLAGS += ("--remote-allow-origins=*", "--no-first-run", "--disable-extensions", "--disable-background-networking")


class Tab:
    """A page of the browser.

    Args:
        address: of its line for the protocol.
    """

    def __init__(self, address: str) -> None:
        from websocket import create_connection

        self._line, self._number = create_connection(address, timeout=60), 0
        self.said: list[str] = []  # errors and warnings of the console, and of the page itself
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers."""
        self._number += 1
        self._line.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            heard = self._heard()
            if heard.get("id") == self._number:
                assert "error" not in heard, heard["error"]
                return heard["result"]

    def open(self, path: Path, anchor: str = "") -> None:
        """Goes to a file and waits until it is there."""
        self.ask("Page.navigate", url=f"{path.absolute().as_uri()}{anchor}")
        until = time.monotonic() + 60
        while self.value("document.readyState") != "complete" and time.monotonic() < until:
            time.sleep(0.02)

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives, a promise awaited."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def look(self, width: int, dark: bool) -> None:
        """The window's width in pixels, and the colours that its owner likes."""
        phone = width < 600
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=phone)
        liked = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=liked)

    def press(self, key: str) -> None:
        """A key, pressed and let go."""
        codes = {"Tab": 9, "Enter": 13}
        for kind in ("rawKeyDown", "char", "keyUp") if key == "Enter" else ("rawKeyDown", "keyUp"):
            text = {"text": "\r"} if kind == "char" else {}
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **text)

    def picture(self, file: Path) -> None:
        """A screenshot of the whole page."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 9000), "scale": 1}
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(found["data"]))

    def _heard(self) -> dict[str, Any]:
        heard = json.loads(self._line.recv())
        told = heard.get("params", {})
        if heard.get("method") == "Runtime.exceptionThrown":
            self.said.append(str(told["exceptionDetails"]))
        elif heard.get("method") == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.said.append(told["entry"]["text"])
        elif heard.get("method") == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.said.append(str(told["args"]))
        return heard


@contextmanager
def chromium() -> Iterator[Tab]:
    """An empty page; skips the test where there is no Chromium."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium here to open the pages with: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as browser:
            try:
                yield Tab(_address(browser))
            finally:
                browser.send_signal(signal.SIGTERM)
                browser.wait(30)


def _address(browser: subprocess.Popen[str]) -> str:
    """The line of the first page, at the port that the browser has chosen."""
    from urllib.request import urlopen

    port = next(m[1] for line in browser.stderr if (m := re.search(r"ws://127\.0\.0\.1:(\d+)/", line)))
    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
        return next(p["webSocketDebuggerUrl"] for p in json.load(answer) if p["type"] == "page")
