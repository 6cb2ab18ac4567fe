"""A headless Chromium for tests, spoken to by WebDriver: JSON over HTTP, which needs nothing installed but the browser.

with Browser() as browser:
    browser.open("file:///.../index.html", width=390, dark=True)
    browser.run("return document.title")
    browser.screenshot("page.png")
"""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

DRIVERS = ("chromedriver", "chromium.chromedriver")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def found():
    """Return (driver, browser) as paths, or None where one of them is not installed."""
    driver, browser = (next(filter(None, map(shutil.which, names)), None) for names in (DRIVERS, BROWSERS))
    return (driver, browser) if driver and browser else None


class Browser:
    def __enter__(self):
        driver, browser = found()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            self._wait()
            arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
            options = {
                "binary": browser,
                "args": [*arguments, "--disable-background-networking", "--hide-scrollbars"],
                "perfLoggingPrefs": {"enableNetwork": True},
            }
            wanted = {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            self.session = self._send("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, *exception):
        try:
            self._send("DELETE", f"/session/{self.session}")
        finally:
            self.process.terminate()
            self.process.wait()

    def open(self, address, width, height=800, dark=False):
        """Show a page in a window of exactly this size: narrower than a window can be, too, as a phone's is."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._send("POST", f"/session/{self.session}/url", {"url": address})
        for _ in range(200):  # the driver may come back before a long page is read to its end
            if self.run("return document.readyState") == "complete":
                return
            time.sleep(0.02)
        raise RuntimeError(f"{address} was not loaded within 4 s")

    def command(self, name, parameters):
        """Send a command of the DevTools protocol."""
        path = f"/session/{self.session}/goog/cdp/execute"
        return self._send("POST", path, {"cmd": name, "params": parameters})

    def run(self, script, *arguments):
        """Return the result of a JavaScript function with this body."""
        return self._send("POST", f"/session/{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def messages(self, kind):
        """Return the messages since the last call: "browser" for the console, "performance" for requests."""
        return self._send("POST", f"/session/{self.session}/se/log", {"type": kind})

    def screenshot(self, path, clip=None):
        """Write an image of the whole page, or of a part of it: {x, y, width, height}."""
        more = {"clip": {**clip, "scale": 1}} if clip else {}
        data = self.command("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, **more})
        with open(path, "wb") as file:
            file.write(base64.b64decode(data["data"]))

    def _wait(self):
        for _ in range(100):
            try:
                if self._send("GET", "/status")["ready"]:
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("chromedriver did not start within 5 s")

    def _send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None
