"""SIGTERM and SIGINT while uploads, downloads, a client that reads nothing and the administration
socket are at work: who can end does, who cannot is cut off, and what was answered is there."""

import base64
import concurrent.futures
import hashlib
import http.client
import os
import signal
import socket
import sys
import threading
import time

import lib
from lib import check, same

sys.path.insert(0, str(lib.ROOT / "conformance" / "kill"))
sys.path.insert(0, str(lib.ROOT / "conformance" / "bench"))
from load import Local  # noqa: E402
from signed import Signer  # noqa: E402

MB = 1 << 20
DRAIN = 3  # seconds that requests under way have
SPARE = 4  # seconds more: those that are cut off get two to read why, and the store is closed
BASIC = "Basic " + base64.b64encode(f"{lib.USER}:{lib.PASSWORD}".encode()).decode()
server = lib.Server("stop", settings={"HOLDALL_LIMITS_DRAIN_SECONDS": str(DRAIN)})
signer = Signer(f"127.0.0.1:{server.port}", lib.ACCESS, lib.SECRET, lib.REGION)
s3 = server.s3()
large = os.urandom(64 * MB)
s3.put_object(Bucket="admin", Key="large", Body=large)


class Upload:
    """A PUT of which half is sent."""

    def __init__(self, name, connection, target, headers):
        self.name, self.connection, self.body = name, connection, os.urandom(4 * MB)
        connection.putrequest("PUT", target)
        for header, value in (headers | {"Content-Length": str(len(self.body))}).items():
            connection.putheader(header, value)
        connection.endheaders()
        connection.send(self.body[: 2 * MB])

    def end(self):
        """Sends the rest, slowly; the answer must be that it is done."""
        for at in range(2 * MB, 4 * MB, MB // 2):
            self.connection.send(self.body[at : at + MB // 2])
            time.sleep(0.2)
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status in (200, 201, 204), f"{answer.status} to {self.name}"


def uploads(word):
    """One through each door, and one over the socket as `holdall import` sends it."""
    plain = lambda: http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    names = [f"{word}-{door}" for door in ("s3", "dav", "socket")]
    return [Upload(names[0], plain(), signer.path("PUT", f"/admin/{names[0]}"), {}),
            Upload(names[1], plain(), f"/dav/admin/{names[1]}", {"Authorization": BASIC}),
            Upload(names[2], Local(server.data / "admin.sock"), f"/api/v1/buckets/admin/files/{names[2]}", {"Holdall-On-Behalf": lib.USER})]


def download():
    """A GET whose answer has begun, with little room in between for more of it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.request("GET", signer.path("GET", "/admin/large"))
    return connection.getresponse()


class Writer(threading.Thread):
    """Small files, one after the other, until nobody answers."""

    def __init__(self, word):
        super().__init__()
        self.word, self.answered, self.wrong = word, {}, None

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            while True:
                key, body = f"{self.word}/{len(self.answered)}", os.urandom(2000)
                connection.request("PUT", signer.path("PUT", f"/admin/{key}"), body)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.wrong = f"{answer.status} to {key}"
                    return
                self.answered[key] = hashlib.md5(body).hexdigest()
        except (OSError, http.client.HTTPException):
            pass


def nobody_listens():
    """Neither the port nor the socket takes anybody."""
    for family, address in [(socket.AF_INET, ("127.0.0.1", server.port)), (socket.AF_UNIX, str(server.data / "admin.sock"))]:
        with socket.socket(family) as client:
            try:
                client.connect(address)
            except OSError:
                continue
            raise AssertionError(f"somebody listens at {address}")


def ended(began, least, most):
    """Exit code 0, and how long it took is in between."""
    same(server.process.wait(most + 30), 0, "exit code")
    took = time.monotonic() - began
    assert least <= took <= most, f"it took {took:.1f} s, not {least} to {most}"
    same("panicked" in server.log.read_text(), False, "a panic")
    return took


def there(key, tag=None):
    with lib.contextlib.suppress(s3.exceptions.ClientError):
        return s3.head_object(Bucket="admin", Key=key)["ETag"].strip('"') == tag or tag is None
    return False


for number, (word, name) in enumerate([("term", signal.SIGTERM), ("int", signal.SIGINT)]):
    with check(f"{name.name}: nobody is let in, who can end does, and what was answered is there"):
        writers = [Writer(f"{word}-{n}") for n in range(4)]
        for writer in writers:
            writer.start()
        idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        idle.request("GET", "/-/healthy")
        idle.getresponse().read()
        running, reading = uploads(word), download()
        got = reading.read(MB)
        began = time.monotonic()
        while sum(len(writer.answered) for writer in writers) <= 20:
            assert time.monotonic() - began < 30, "hardly anything is written"
            time.sleep(0.05)
        began = time.monotonic()
        server.process.send_signal(name)
        time.sleep(0.3)
        nobody_listens()
        same(idle.sock.recv(1), b"", "what an idle connection gets")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(Upload.end, running))
        got += reading.read()
        same(hashlib.sha256(got).digest() == hashlib.sha256(large).digest(), True, "the download is whole")
        took = ended(began, 0, DRAIN)
        for writer in writers:
            writer.join()
            same(writer.wrong, None)
        answered = {key: tag for writer in writers for key, tag in writer.answered.items()}
        assert len(answered) > 20, len(answered)
        print(f"{name.name}: ended after {took:.2f} s, {len(answered)} small files answered", flush=True)
        server.start()
        found = {key: tag for key, (_, tag) in lib.keys_of(s3, "admin").items()}
        same({key: found.get(key) for key in answered}, answered)
        # A file that was written and whose answer was lost is no fault; half a file would be one.
        for upload in running:
            same(found.get(upload.name), hashlib.md5(upload.body).hexdigest(), upload.name)
        server.holdall("check")

    with check(f"{name.name}: who cannot end is cut off in time, and leaves nothing half"):
        stuck, unread, slow = uploads(f"{word}-stuck"), download(), uploads(f"{word}-slow")
        time.sleep(0.3)
        began = time.monotonic()
        server.process.send_signal(name)

        def trickle():
            with lib.contextlib.suppress(OSError):
                while True:
                    for upload in slow:
                        upload.connection.send(b"x" * 2000)
                    time.sleep(0.1)

        thread = threading.Thread(target=trickle)
        thread.start()
        took = ended(began, DRAIN - 0.5, DRAIN + SPARE)
        thread.join()
        print(f"{name.name}: cut off after {took:.2f} s", flush=True)
        assert "were cut off" in server.log.read_text(), server.tail()
        with lib.contextlib.suppress(OSError, http.client.HTTPException):
            assert len(unread.read()) < len(large)
        server.start()
        found = set(lib.keys_of(s3, "admin"))
        same([upload.name for upload in stuck + slow if upload.name in found], [])
        server.holdall("check")

    with check(f"{name.name} twice: it ends at once, and is whole all the same"):
        running = uploads(f"{word}-twice")
        s3.put_object(Bucket="admin", Key=f"{word}-before", Body=b"before")
        server.process.send_signal(name)
        time.sleep(0.5)
        same(server.process.poll(), None, "the end of a server that waits for uploads")
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM if number else signal.SIGINT)
        same(server.process.wait(30), 1, "exit code")
        assert time.monotonic() - began < 1, "it waited"
        server.start()
        assert there(f"{word}-before")
        same([upload.name for upload in running if there(upload.name)], [])
        server.holdall("check")

with check("a backup that cannot end in time is given up, and the ones before are whole"):
    server.settings["HOLDALL_LIMITS_DRAIN_SECONDS"] = "0"
    server.restart()
    dest = server.home / "backups"
    server.holdall("backup", "create", dest)
    for number in range(6):
        s3.put_object(Bucket="admin", Key=f"more-{number}", Body=os.urandom(64 * MB))
    asked = Local(server.data / "admin.sock")
    asked.request("POST", "/api/v1/backup", lib.json.dumps({"folder": str(dest)}), {"Content-Type": "application/json"})
    began, state = time.monotonic(), {}
    while not (state.get("running") and state["total_bytes"] > state["done_bytes"] > 0):
        assert time.monotonic() - began < 10, f"no backup is under way: {state}"
        watch = Local(server.data / "admin.sock")
        watch.request("GET", "/api/v1/backup")
        state = lib.json.load(watch.getresponse())
        watch.close()
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    ended(began, 0, SPARE)
    same(sorted(path.name for path in dest.glob("points/*.point")), ["00000001.point"], "the backups that are listed")
    server.holdall("backup", "verify", dest)
    server.start()
    server.holdall("backup", "create", dest)
    server.holdall("backup", "verify", dest)

with check("holdall check is clean"):
    server.stop()
    server.holdall("check")
lib.finish()
