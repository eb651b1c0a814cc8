"""Presigned URLs by the hundred thousand, and wrk with them, also to fill a store."""

import datetime
import hashlib
import hmac
import pathlib
import re
import subprocess
import time
import urllib.parse

SCRIPT = pathlib.Path(__file__).with_name("load.lua")


class Signer:
    """Presigns for one server; the signing key is derived once."""

    def __init__(self, host, access, secret, region):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.host, self.date = host, now.strftime("%Y%m%dT%H%M%SZ")
        day = self.date[:8]
        self.scope = f"{day}/{region}/s3/aws4_request"
        key = f"AWS4{secret}".encode()
        for part in (day, region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self.key = key
        self.query = urllib.parse.urlencode({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{access}/{self.scope}",
            "X-Amz-Date": self.date, "X-Amz-Expires": "86400", "X-Amz-SignedHeaders": "host",
        }, quote_via=urllib.parse.quote, safe="")

    def path(self, method, path, more=None):
        """Path and query of a presigned request; the path has no byte that needs encoding."""
        query = "&".join([self.query, *(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in sorted((more or {}).items()))])
        canonical = f"{method}\n{path}\n{query}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.date}\n{self.scope}\n{digest}"
        return f"{path}?{query}&X-Amz-Signature={hmac.digest(self.key, text.encode(), 'sha256').hex()}"


def write_list(signer, method, keys, folder, threads=2):
    """One file of requests for each of wrk's threads."""
    files = [open(folder / f"{method}-{n}", "w") for n in range(threads)]
    for number, key in enumerate(keys):
        files[number % threads].write(signer.path(method, key) + "\n")
    for file in files:
        file.close()
    return folder / f"{method}-"


def wrk(url, method, lists, connections=32, seconds=10, size=4096):
    """Runs wrk over lists of requests; every body is new. Gives requests a second and p99."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(SCRIPT), url, "--",
               method, str(lists), str(size)]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    if method == "FILL":
        return None
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    tail = re.search(r"99%\s+(\S+)", out)
    return rate, tail[1] if tail else "-", int(bad[1]) if bad else 0


def fill(server, signer, folder, files):
    """Files in folders of a thousand in the bucket `bench`; how fast, to the last of them."""
    keys = (f"/bench/fill/{n // 1000:04}/{n:07}" for n in range(files))
    lists = write_list(signer, "PUT", keys, folder)
    began = time.monotonic()
    wrk(server.url, "FILL", lists, connections=64, seconds=7200)
    return files / (time.monotonic() - began)
