"""Shared by the parts written in Python: counting checks, a server of one's own, clients for it."""

import atexit
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
import urllib.request

from clients import Clients

ROOT = pathlib.Path(os.environ["ROOT"])
WORK = pathlib.Path(os.environ["WORK"])
BINARY = os.environ["HOLDALL"]
LONG = bool(os.environ.get("CONFORMANCE_LONG"))
USER, PASSWORD = "admin", "conformance-password"
ACCESS, SECRET = "CONFORMANCEKEY000001", "conformance/secret+key/0123456789abcdefg"
REGION = "us-east-1"
failures = 0


@contextlib.contextmanager
def check(name):
    """Counts what happens inside as one check."""
    global failures
    try:
        yield
    except Exception as error:
        failures += 1
        traceback.print_exc(limit=-3)
        why = str(error).splitlines()
        print(f"FAILED {name}: {type(error).__name__} {why[0] if why else ''}", flush=True)
    else:
        print(f"ok {name}", flush=True)


def same(got, wanted, what="value"):
    """Fails with both values, shortened."""
    if got != wanted:
        raise AssertionError(f"{what} is {str(got)[:300]!r}, not {str(wanted)[:300]!r}")


def finish():
    """Ends a script; the exit code says whether all checks passed."""
    sys.exit(1 if failures else 0)


def dice():
    """Random numbers from the seed of this run, which `conformance/run` prints."""
    return random.Random(os.environ["HOLDALL_SEED"])


def scratch(name):
    """An empty folder that goes when the script ends."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"holdall-{name}-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def run(*command, env=None, stdin=None, timeout=900, good=True, cwd=None):
    """Runs a command and gives its result; a failing one raises with its output, unless it may."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=env, input=stdin, timeout=timeout, capture_output=True, text=True, cwd=cwd)
    if good and done.returncode != 0:
        raise AssertionError(f"exit code {done.returncode} from {' '.join(words[:6])}: {(done.stdout + done.stderr)[-2000:]}")
    return done


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes(folder):
    """Relative name to SHA-256 of every file below a folder."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def same_tree(got, wanted):
    """Two results of `hashes` are equal, or the first differences are told."""
    if got == wanted:
        return
    missing = sorted(set(wanted) - set(got))[:5]
    added = sorted(set(got) - set(wanted))[:5]
    other = sorted(name for name in set(got) & set(wanted) if got[name] != wanted[name])[:5]
    raise AssertionError(f"{len(got)} files, not {len(wanted)}; missing {missing}, added {added}, different {other}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server(Clients):
    """The release binary on a directory of its own."""

    def __init__(self, name, tls=False, data=None, settings=None):
        self.name, self.port = name, free_port()
        self.home = scratch(name)
        self.data = pathlib.Path(data) if data else self.home / "data"
        self.log = WORK / "logs" / f"{name}-server.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        self.scheme = "https" if tls else "http"
        self.ca = self._certificate() if tls else None
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self.settings = {
            "HOLDALL_DATA": str(self.data),
            "HOLDALL_LISTEN": f"127.0.0.1:{self.port}",
            "HOLDALL_ADMIN_PASSWORD": PASSWORD,
            "HOLDALL_ADMIN_ACCESS_KEY": ACCESS,
            "HOLDALL_ADMIN_SECRET_KEY": SECRET,
            **(settings or {}),
        }
        if tls:
            self.settings |= {"HOLDALL_TLS_CERT": str(self.ca), "HOLDALL_TLS_KEY": str(self.home / "key.pem")}
        self.process = None
        atexit.register(self.stop, quiet=True)
        self.start()

    def _certificate(self):
        """A certificate for 127.0.0.1 that signs itself."""
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.home / "key.pem", "-out", self.home / "cert.pem")
        return self.home / "cert.pem"

    def environment(self, **more):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HOLDALL")}
        return clean | {name: str(value) for name, value in more.items()}

    def start(self, patience=60):
        log = open(self.log, "ab")
        self.process = subprocess.Popen([BINARY, "serve"], env=self.environment(**self.settings), cwd=self.home,
                                        stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        context = ssl.create_default_context(cafile=str(self.ca)) if self.ca else None
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}: {self.tail()}")
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"{self.url}/-/healthy", context=context, timeout=5).status == 200:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the server was not healthy after {patience} s: {self.tail()}")

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, quiet=False):
        """SIGTERM and a clean end; a panic in the log is an error."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if quiet:
            return
        same(process.returncode, 0, "exit code of the server")
        if b"panicked" in self.log.read_bytes():
            raise AssertionError(f"the server panicked: {self.tail()}")

    def restart(self):
        self.stop()
        self.start()

    def tail(self):
        return self.log.read_text(errors="replace")[-1500:]

    def holdall(self, *words, good=True, stdin=None):
        """A command of the same binary on the same data."""
        env = self.environment(HOLDALL_DATA=self.data)
        return run(BINARY, *words, env=env, good=good, stdin=stdin, cwd=self.home)

    def memory(self):
        """Resident bytes of the server."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0


def code_of(call, *args, **kwargs):
    """The status and S3 error code a boto3 call is refused with; (200, None) if it is not."""
    from botocore.exceptions import ClientError
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    return 200, None


def keys_of(s3, bucket):
    """Every key of a bucket with its size and tag."""
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for row in page.get("Contents", []):
            found[row["Key"]] = (row["Size"], row["ETag"].strip('"'))
    return found


def as_json(done):
    return json.loads(done.stdout)
