"""A headless Chromium, driven over its DevTools protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

FLAGS = [
    "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--remote-debugging-port=0",
    "--remote-allow-origins=*", "--window-size=1280,1000", "about:blank",
]  # fmt: skip


def chromium():
    """Path of the program, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    """One tab; remembers every request and every complaint of the console."""

    def __init__(self, folder: Path, timeout: float = 30.0):
        from websockets.sync.client import connect

        self.timeout = timeout
        self.requests, self.complaints, self._number = [], [], 0
        self.process = subprocess.Popen(
            [chromium(), f"--user-data-dir={folder / 'profile'}", *FLAGS],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )
        port = self._wait_for_file(folder / "profile" / "DevToolsActivePort").splitlines()
        self.socket = connect(
            f"ws://127.0.0.1:{port[0]}{port[1]}", max_size=None, open_timeout=timeout
        )
        self.session = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.downloads = folder / "downloads"
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def _wait_for_file(self, path):
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            if path.is_file() and len(path.read_text().splitlines()) == 2:
                return path.read_text()
            time.sleep(0.05)
        raise TimeoutError(path)

    def send(self, method, **parameters):
        """Call a method of the protocol and read events until it answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv(timeout=self.timeout))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer)

    def _note(self, event):
        method, values = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.complaints.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", str(details)))

    def evaluate(self, expression):
        """Value of an expression; promises are awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def wait(self, expression, timeout=None):
        """Wait until an expression is true; returns its value."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while time.monotonic() < deadline:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.05)
        raise TimeoutError(expression)

    def open(self, address):
        """Go to a page and wait until it is loaded."""
        self.evaluate("window.__old = true")
        self.send("Page.navigate", url=address)
        self.wait("!window.__old && document.readyState === 'complete'")

    def prefer(self, scheme="light", width=1280, height=1000):
        """Choose light or dark, and the size of the window."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", features=features)
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def key(self, key, code=None):
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=code or key, **text)

    def picture(self, selector=None):
        """PNG of the window, or of one element."""
        clip = {}
        if selector:
            box = self.evaluate(
                f"(() => {{ const r = document.querySelector({selector!r})"
                ".getBoundingClientRect(); return {x: r.x + scrollX, y: r.y + scrollY,"
                " width: r.width, height: r.height, scale: 1} })()"
            )
            clip = {"clip": box, "captureBeyondViewport": True}
        return base64.b64decode(self.send("Page.captureScreenshot", format="png", **clip)["data"])

    def close(self):
        """End the browser."""
        self.session = None
        try:
            self.send("Browser.close")
        finally:
            self.socket.close()
            self.process.wait(10)
