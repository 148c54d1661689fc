"""A proxy between a worker and a service, so that a test decides at which call the worker stands still or is refused."""
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = (b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
             b"<Message>Please reduce your request rate.</Message></Error>")


class Proxy:
    """Hands calls on to `target`, but for those that `matches(method, path)`.

    With `hold`, the first that matches and all later ones are never answered, and `held` is set: the caller stands still in
    the middle of its work. Without, every one that matches is answered with 503 SlowDown until `heal()`.
    """

    def __init__(self, target, matches, hold):
        self.held = threading.Event()
        self.refused = 0
        self._ended = threading.Event()
        self._healed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, urlsplit(target), matches, hold))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def heal(self):
        """Hands everything on from now on."""
        self._healed.set()

    def close(self):
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def interferes(self):
        return not self._healed.is_set()

    def stand_still(self):
        self.held.set()
        self._ended.wait()


def _handler(proxy, target, matches, hold):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if proxy.interferes() and (proxy.held.is_set() or matches(self.command, self.path)):
                if hold:
                    proxy.stand_still()
                    self.close_connection = True
                    return
                proxy.refused += 1
                self.reply(503, [("Content-Type", "application/xml")], SLOW_DOWN)
                return
            upstream = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
            try:
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    upstream.putheader(name, value)
                upstream.endheaders(body)
                response = upstream.getresponse()
                self.reply(response.status, response.getheaders(), response.read())
            finally:
                upstream.close()

        def reply(self, status, headers, body):
            self.send_response_only(status)
            head = self.command == "HEAD"
            own = ("connection", "transfer-encoding") if head else ("connection", "transfer-encoding", "content-length")
            for name, value in headers:
                if name.lower() not in own:
                    self.send_header(name, value)
            if not head:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not head:
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer

    return Handler
