"""The lines that a run prints, and their count."""
import threading
import time
import traceback


class Checks:
    """PASS, FAIL and SKIP, one line each, from any thread."""

    def __init__(self):
        self._lock, self._began = threading.Lock(), time.monotonic()
        self.counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}

    def _line(self, kind, text):
        with self._lock:
            self.counts[kind] += 1
            print(f"{kind} {text}", flush=True)

    def that(self, name, holds, otherwise=""):
        """A check: `otherwise` is told when it does not hold."""
        if holds:
            self._line("PASS", name)
        else:
            self._line("FAIL", f"{name}: {otherwise}")
        return bool(holds)

    def skip(self, name, reason):
        """What ministack cannot do, by name."""
        self._line("SKIP", f"{name} ({reason})")

    def scenario(self, name, play):
        """Plays a scenario; whatever it raises is a failed check of its name."""
        began = time.monotonic()
        try:
            play()
        except Exception as error:  # every failure is told, and the other scenarios go on
            traceback.print_exc()
            self._line("FAIL", f"{name}: {type(error).__name__}: {error}")
        else:
            with self._lock:
                print(f"     {name}: {time.monotonic() - began:.0f} s", flush=True)

    def summary(self):
        passed, failed, skipped = (self.counts[kind] for kind in ("PASS", "FAIL", "SKIP"))
        return f"{passed} passed, {failed} failed, {skipped} skipped in {time.monotonic() - self._began:.0f} s"
