"""Fills a small disk through both doors and then to its last byte, and frees it again."""

import contextlib
import os
import pathlib
import sys
import time

import lib
from lib import check, code_of, same

BODY = 4 << 20
SMALL = 100
small = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None

with check("a reserve that the disk cannot hold is refused by name"):
    home = small or lib.scratch("reserve")
    env = {name: value for name, value in os.environ.items() if not name.startswith("HOLDALL_")}
    env |= {"HOLDALL_DATA": str(home / "none"), "HOLDALL_LISTEN": f"127.0.0.1:{lib.free_port()}", "HOLDALL_DISK_RESERVE": "100 TiB"}
    done = lib.run(lib.BINARY, "serve", env=env, good=False, timeout=30, cwd=home)
    same((done.returncode, (home / "none").exists()), (2, False))
    assert "disk.reserve is 100.0 TiB" in done.stderr, done.stderr

if small:
    server = lib.Server("disk", data=small / "data", settings={"HOLDALL_HTTP_PUBLIC_METRICS": "true"})
else:
    free = lib.shutil.disk_usage(lib.tempfile.gettempdir()).free
    server = lib.Server("disk", settings={"HOLDALL_HTTP_PUBLIC_METRICS": "true", "HOLDALL_DISK_RESERVE": "1 MiB",
                                          "HOLDALL_DISK_FULL_BELOW": str(free - (300 << 20))})
s3 = server.s3()
s3.create_bucket(Bucket="disk")
stored = {}


def own(path):
    with lib.urllib.request.urlopen(f"{server.url}/-/{path}") as answer:
        return answer.read().decode()


def level():
    lines = [line for line in own("metrics").splitlines() if line.startswith("holdall_disk_full_level ")]
    return int(lines[0].split()[1])


def until(what, wanted, patience=15):
    end = time.monotonic() + patience
    while what() != wanted and time.monotonic() < end:
        time.sleep(0.2)
    same(what(), wanted)


with check("S3 fills the disk and is refused with a clear code"):
    for number in range(SMALL):
        s3.put_object(Bucket="disk", Key=f"small/{number}", Body=os.urandom(1000))
    for number in range(200):
        body = os.urandom(BODY)
        status, code = code_of(s3.put_object, Bucket="disk", Key=f"f{number}", Body=body)
        if status != 200:
            break
        stored[f"f{number}"] = lib.hashlib.sha256(body).hexdigest()
    same((status, code), (507, "InsufficientStorage"))
    assert len(stored) > 20, f"only {len(stored)} files fitted"

with check("WebDAV is refused with 507"):
    same(server.dav("PUT", "/disk/x", data=os.urandom(BODY)).status_code, 507)

with check("it is ready and says that the disk is full, in its counts and to doctor too"):
    until(level, 1)
    assert own("ready").startswith("ready: disk-full-content,"), own("ready")
    env = server.environment(**server.settings)
    assert "new files are refused" in lib.run(lib.BINARY, "doctor", env=env, good=False, cwd=server.home).stdout

with check("overwriting is refused through both doors, and a part; the old versions stay"):
    body = os.urandom(BODY)
    same(code_of(s3.put_object, Bucket="disk", Key="f2", Body=body), (507, "InsufficientStorage"))
    same(server.dav("PUT", "/disk/f3", data=body).status_code, 507)
    upload = s3.create_multipart_upload(Bucket="disk", Key="f2")["UploadId"]
    same(code_of(s3.upload_part, Bucket="disk", Key="f2", UploadId=upload, PartNumber=1, Body=body),
         (507, "InsufficientStorage"))
    s3.abort_multipart_upload(Bucket="disk", Key="f2", UploadId=upload)

with check("what was acknowledged is whole, the rest is not there"):
    same(sorted(key for key in lib.keys_of(s3, "disk") if not key.startswith("small/")), sorted(stored))
    for key, digest in stored.items():
        same(lib.hashlib.sha256(s3.get_object(Bucket="disk", Key=key)["Body"].read()).hexdigest(), digest)

with check("moves, copies and deletes go on"):
    target = {"Destination": f"{server.url}/dav/disk/moved"}
    same(server.dav("MOVE", "/disk/f0", headers=target).status_code, 201)
    same(server.dav("COPY", "/disk/f2", headers={"Destination": f"{server.url}/dav/disk/copied"}).status_code, 201)
    s3.delete_object(Bucket="disk", Key="f1")
    for name in ("moved", "copied"):
        same(server.dav("DELETE", f"/disk/{name}").status_code, 204)

if small:
    def fill():
        """Takes what is free, to the last byte, as another program would."""
        # Without a buffer: one that is left over would fail to be written at the end.
        with open(small / "other", "ab", buffering=0) as other:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while other.write(b"x" * size) == size:
                        pass
        return lib.shutil.disk_usage(small).free

    with check("100 of 100 deletes succeed at zero bytes free, through both doors"):
        same(fill(), 0)
        for number in range(SMALL):
            if number % 2:
                same(code_of(s3.delete_object, Bucket="disk", Key=f"small/{number}"), (200, None))
            else:
                same(server.dav("DELETE", f"/disk/small/{number}").status_code, 204)
            fill()
        same([key for key in lib.keys_of(s3, "disk") if key.startswith("small/")], [])

    with check("the server starts again with zero bytes free"):
        same(fill(), 0)
        server.restart()
        assert own("ready").startswith("ready"), own("ready")
        same(code_of(s3.put_object, Bucket="disk", Key="x", Body=os.urandom(BODY)), (507, "InsufficientStorage"))

    with check("holdall compact gives room back at zero bytes free, with the reserve's help"):
        for number in range(2, 60):
            s3.delete_object(Bucket="disk", Key=f"f{number}")
            stored.pop(f"f{number}", None)
        same(fill(), 0)
        # What is needed lies in the same segments: they have to be written anew before they go.
        server.holdall("compact")
        assert lib.shutil.disk_usage(small).free > 64 << 20, lib.shutil.disk_usage(small)

    with check("writes work again without a restart once there is room, and the reserve is put by"):
        os.remove(small / "other")
        until(level, 0)
        same(own("ready"), "ready\n")
        body = os.urandom(BODY)
        s3.put_object(Bucket="disk", Key="again", Body=body)
        same(server.dav("PUT", "/disk/again-too", data=body).status_code, 201)
        same(s3.get_object(Bucket="disk", Key="again")["Body"].read(), body)
        assert (server.data / "reserve").stat().st_size > 1 << 20

with check("the server starts again, and what is left is whole"):
    server.restart()
    for key, digest in stored.items():
        if key not in ("f0", "f1"):
            same(lib.hashlib.sha256(s3.get_object(Bucket="disk", Key=key)["Body"].read()).hexdigest(), digest)

with check("holdall check is clean"):
    server.stop()
    server.holdall("check")
lib.finish()
