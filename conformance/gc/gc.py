"""300 MB over S3, most of it deleted and collected; then kill -9 in the middle of gc and compaction."""

import hashlib
import subprocess

import lib
from lib import check, same

MB = 1 << 20
ROUNDS = 5
rng = lib.dice()
server = lib.Server("gc")
s3 = server.s3()
s3.create_bucket(Bucket="files")
kept = {}


def used():
    """Bytes the segments take on the disk."""
    paths = [path for path in (server.data / "segments").rglob("*.seg")]
    return sum(path.stat().st_blocks * 512 for path in paths if path.exists())


def put(key, size, body=None):
    body = body or rng.randbytes(size)
    s3.put_object(Bucket="files", Key=key, Body=body)
    kept[key] = hashlib.sha256(body).hexdigest()
    return body


def remove(keys):
    keys = list(keys)
    for at in range(0, len(keys), 1000):
        batch = {"Objects": [{"Key": key} for key in keys[at:at + 1000]], "Quiet": True}
        same(s3.delete_objects(Bucket="files", Delete=batch).get("Errors", []), [])
    for key in keys:
        del kept[key]


def verify():
    """Everything that was not deleted is there and whole, and nothing else is."""
    same(sorted(lib.keys_of(s3, "files")), sorted(kept), "the listing")
    for key, digest in kept.items():
        body = s3.get_object(Bucket="files", Key=key)["Body"].read()
        same(hashlib.sha256(body).hexdigest(), digest, f"content of {key}")


def fill(turn, megabytes):
    """Large and small files, one after the other."""
    for number in range(megabytes // 5):
        put(f"{turn}/large-{number}", 4 * MB)
        for small in range(16):
            put(f"{turn}/small-{number}-{small}", 64 << 10)


with check("300 MB are there"):
    fill("first", 300)
    assert used() >= 290 * MB, used()

with check("a dry run tells how much it would be and changes nothing"):
    before = used()
    remove([key for key in kept if "large" in key])
    # The server may have begun by itself; without it nobody does.
    server.stop()
    told = lib.as_json(server.holdall("gc", "--dry-run", "--json"))
    # Opening the data has cut off what was put by for the segments it ends.
    now = used()
    same((told["dry_run"], told["aborted"]), (True, None))
    assert told["deleted_bytes"] + told["dead_bytes"] + before - now > 100 * MB, (told, before, now)
    same(lib.as_json(server.holdall("gc", "--dry-run", "--json")), told, "the second time")
    same(used(), now, "what segments take")
    server.start()

with check("gc and compact give most of it back"):
    server.holdall("gc")
    store = lib.as_json(server.holdall("bucket", "show", "files", "--json"))["store"]
    assert 0 < store["dead_bytes"] < used() + MB, store
    told = lib.as_json(server.holdall("compact", "--json"))
    same(told["aborted"], None)
    left = sum(row[0] for row in lib.keys_of(s3, "files").values())
    assert used() < left * 1.3 + 40 * MB, f"{used()} bytes for {left}"
    verify()

with check("a second upload of what is there is not stored again, and bucket show tells so"):
    body = put("twice/one", 40 * MB)
    before = used()
    put("twice/two", 40 * MB, body)
    assert used() - before < MB
    server.holdall("gc")
    store = lib.as_json(server.holdall("bucket", "show", "files", "--json"))["store"]
    assert store["deduplicated_bytes"] >= 39 * MB and store["live_bytes"] > 0, store

with check("the server gives back by itself"):
    remove([key for key in kept if key.startswith("twice/")])
    end = lib.time.monotonic() + 90
    while used() > before - 30 * MB and lib.time.monotonic() < end:
        lib.time.sleep(0.5)
    assert used() <= before - 30 * MB, f"{used()} of {before}"

for turn in range(1, ROUNDS + 1):
    command = ["gc", "compact"][turn % 2]
    with check(f"kill -9 number {turn}, in the middle of {command}"):
        fill(f"turn-{turn}", 60)
        remove(rng.sample(sorted(kept), len(kept) * 2 // 3))
        env = server.environment(HOLDALL_DATA=server.data)
        running = subprocess.Popen([lib.BINARY, command], env=env, cwd=server.home, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        lib.time.sleep(rng.uniform(0.02, 0.6))
        server.kill()
        running.wait(60)
        server.start()
        verify()
        server.stop()
        server.holdall("check")
        server.start()

with check("after all of it hardly anything is dead"):
    server.holdall("compact")
    store = lib.as_json(server.holdall("bucket", "show", "files", "--json"))["store"]
    assert store["dead_bytes"] * 10 <= store["live_bytes"] + store["dead_bytes"], store
    verify()

with check("gc works without the server, and holdall check is clean"):
    remove(list(kept))
    server.stop()
    server.holdall("gc")
    server.holdall("gc")
    assert used() < MB, used()
    server.holdall("check")
lib.finish()
