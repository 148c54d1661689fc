"""The programs of a run: ministack, the twin in front of its S3, and the workers. Each is stopped by its process id."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

BACKUP = "222222222222"
OTHER = "111111111111"
REGION = "us-east-1"
STAGES = ["manifest-ready", "bucket-provision", "job-submit", "job-poll", "report-parse", "thaw", "large-copy", "snapshot-check", "table-verify", "run-close", "restore-plan", "drill-plan", "drill-close"]
LEDGER, MANIFESTS, REPORTS, BUS = "levee-ledger", "levee-manifests", "levee-reports", "levee"
COPY_ROLE = f"arn:aws:iam::{BACKUP}:role/levee-batch-copy"


def until(what, probe, seconds):
    """What `probe` answers as soon as it is true; an error once the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds} s")


class Stack:
    """Everything that runs. `programs` holds the binaries, `logs` takes a file per process."""

    def __init__(self, programs, logs):
        self.programs, self.logs = pathlib.Path(programs), pathlib.Path(logs)
        self._processes, self._lock, self._count, self._stopped = [], threading.RLock(), 0, False
        self.ministack = self.twin = None

    def start(self):
        port = _free_port()
        self.ministack = f"http://127.0.0.1:{port}"
        # Without BIND_HOST it listens on all interfaces. The scale shortens what a Retry waits; our definition has no Wait.
        ministack = self.spawn("ministack", [pathlib.Path(sys.executable).parent / "ministack"], {
            "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "MINISTACK_HOST": "127.0.0.1", "LOG_LEVEL": "WARNING",
            "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "SFN_WAIT_SCALE": "0.1", "TMPDIR": str(self.logs),
        })
        until("ministack answers", lambda: self._runs("ministack", ministack) and _answers(self.client("s3")), 300)
        twin = self.spawn("twin", [self.programs / "levee", "twin", "--port", "0", "--s3-endpoint", self.ministack], {})
        self.twin = until("the twin tells its address", lambda: self._runs("twin", twin) and self._announced(), 120)

    def _runs(self, name, process):
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with exit code {process.returncode}: {(self.logs / f'{name}.log').read_text()}")
        return True

    def _announced(self):
        for line in (self.logs / "twin.out").read_text().splitlines():
            if line.startswith("export AWS_ENDPOINT_URL="):
                return line.split("=", 1)[1]
        return None

    def client(self, service, account=BACKUP, endpoint=None):
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}, max_pool_connections=50)
        # S3 Control puts the account in front of the host: with a user name in the URL, in front of that.
        return boto3.session.Session().client(
            service, endpoint_url=endpoint or self.ministack, region_name=REGION, config=config,
            aws_access_key_id=account, aws_secret_access_key="any")

    def control(self):
        return self.client("s3control", endpoint=self.twin.replace("http://", "http://twin@"))

    def spawn(self, name, command, environment):
        """Starts a program with this environment and nothing of ours but PATH and HOME."""
        base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self._lock, open(self.logs / f"{name}.out", "wb") as out, open(self.logs / f"{name}.log", "wb") as log:
            if self._stopped:
                raise RuntimeError(f"{name} is not started: the run is over")
            process = subprocess.Popen([str(part) for part in command], env={**base, **environment}, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=log, start_new_session=True)
            self._processes.append(process)
        return process

    def worker(self, prefix, stages, program=False, **changes):
        """Starts a worker process on the queues of `prefix`: the stage's own program, or `levee worker`."""
        with self._lock:
            self._count += 1
            number = self._count
        environment = {
            "AWS_ENDPOINT_URL": self.ministack, "AWS_ENDPOINT_URL_S3_CONTROL": self.twin, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": BACKUP, "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "LEVEE_ACCOUNT": BACKUP, "LEVEE_LEDGER_BUCKET": LEDGER, "LEVEE_REPORT_BUCKET": REPORTS,
            "LEVEE_COPY_ROLE_ARN": COPY_ROLE, "LEVEE_EVENT_BUS": BUS, "LEVEE_QUEUE_PREFIX": prefix,
            # Messages of a killed worker come back after this time, 30 s at least.
            "LEVEE_HEARTBEAT_LIMIT_SECONDS": "30", "LEVEE_SHUTDOWN_GRACE_SECONDS": "0", "LEVEE_LOG_FORMAT": "json",
            **changes,
        }
        if program:
            (stage,) = stages
            command = [self.programs / f"levee-{stage}"]
        else:
            command = [self.programs / "levee", "worker", *(["--all"] if stages == STAGES else stages)]
        return self.spawn(f"{prefix}{'+'.join(stages)}-{number}", command, environment)

    def stop(self, *processes):
        """Ends processes: asked first, killed after 3 s. Without arguments all that still run, and none starts any more."""
        with self._lock:
            self._stopped = self._stopped or not processes
            chosen = list(processes or reversed(self._processes))
        for process in chosen:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + 3
        for process in chosen:
            try:
                process.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _answers(client):
    try:
        return client.list_buckets()
    except (BotoCoreError, ClientError):
        return None
