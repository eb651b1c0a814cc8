"""kill -9 under the load of 64 clients and two syncs, again and again: what was acknowledged is there."""

import base64
import os
import random
import subprocess
import sys
import time
import urllib.request

import bites
import lib
import sample
from lib import check, same
from load import Load

sys.path.insert(0, str(lib.ROOT / "conformance" / "bench"))
from signed import Signer, fill  # noqa: E402

KILLS = int(os.environ.get("KILLS", 500 if lib.LONG else 20))
FILES = int(os.environ.get("KILL_FILES", 0))
LONGEST = 2.2  # seconds until a kill
READY = 5  # seconds until the next server is ready
word = os.environ.get("HOLDALL_SEED") or lib.run("git", "rev-parse", "HEAD", cwd=lib.ROOT).stdout.strip()
print(f"seed {word}; again: HOLDALL_SEED={word} conformance/run kill")
rng = random.Random(word)
server = lib.Server("kill")
server.signer = Signer(f"127.0.0.1:{server.port}", lib.ACCESS, lib.SECRET, lib.REGION)
server.basic = "Basic " + base64.b64encode(f"{lib.USER}:{lib.PASSWORD}".encode()).decode()
with check("clients tell of files that are gone, other or half there"):
    bites.show(server, word)
if "--selftest" in sys.argv:
    lib.finish()
s3 = server.s3()
tree = server.home / "tree"
files, _ = sample.make(tree, 2, sample.count() // 4)
targets = {"s3:synced-s3": "s3", "dav:synced-dav": "dav"}
for target in targets:
    s3.create_bucket(Bucket=target.split(":")[1])


def sync(target, *more):
    """An rclone that goes on where the last one stopped."""
    log = open(server.home / "sync.log", "ab")
    return subprocess.Popen(["rclone", "copy", "--retries", "1", "--low-level-retries", "1", "--transfers", "4", *more, str(tree), target],
                            env=server.rclone_environment(), stdout=log, stderr=log)


def start():
    """Seconds until a server that was started answers that it is ready."""
    began = time.monotonic()
    server.start(patience=600)
    while True:
        try:
            if urllib.request.urlopen(f"{server.url}/-/ready", timeout=5).status == 200:
                return time.monotonic() - began
        except OSError:
            time.sleep(0.02)


if FILES:
    s3.create_bucket(Bucket="bench")
    print(f"{FILES} files written first, {fill(server, server.signer, lib.scratch('fill'), FILES):.0f}/s")
load, slowest = Load(server, word), 0
# Requests of each sync in a second: even ten of the longest rounds do not end it.
pace = str(max(2, int(2 * files / (KILLS * LONGEST))))
for turn in range(1, KILLS + 1):
    with check(f"kill -9 number {turn}: what was acknowledged is there, and nothing half"):
        syncs = [sync(target, "--tpslimit", pace) for target in targets]
        before = load.answered()
        load.start()
        time.sleep(rng.uniform(0.3, LONGEST))
        server.kill()
        load.end()
        for process in syncs:
            # It would go on trying for minutes.
            process.kill()
            process.wait()
        took = start()
        slowest = max(slowest, took)
        load.verify()
        assert took < READY, f"ready after {took:.2f} s"
        assert load.answered() > before + 64, "there was hardly any load"
print(f"{load.answered()} changes acknowledged; ready after {slowest:.2f} s at most, metadata "
      f"{(server.data / 'meta' / 'holdall.redb').stat().st_size >> 20} MiB")

with check("the syncs go on and end, and every hash is right through the other door"):
    for process in [sync(target) for target in targets]:
        same(process.wait(600), 0, "exit code of rclone")
    wanted = lib.hashes(tree)
    for source, folder in [("dav:synced-s3", "one"), ("s3:synced-dav", "two")]:
        server.rclone("copy", source, server.home / folder)
        lib.same_tree(lib.hashes(server.home / folder), wanted)

with check("every file of the clients, byte for byte"):
    load.read()

with check("what uploads left is gone after two rounds of the collector"):
    for _ in range(2):
        server.holdall("gc")
    counts = lib.as_json(server.holdall("check", "--json"))["counts"]
    same((counts["queued"], counts["unreferenced"]), (0, 0), "chunks that nothing needs")

with check("holdall check is clean after all kills"):
    server.stop()
    server.holdall("check")
lib.finish()
