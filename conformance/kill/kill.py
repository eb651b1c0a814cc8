"""kill -9 in the middle of a sync through S3 and one through WebDAV at the same time."""

import hashlib
import json
import random
import subprocess

import lib
import sample
from lib import check, same

ROUNDS = 10
LONGEST = 2.5  # seconds until a kill
seed = int(lib.run("git", "rev-parse", "HEAD", cwd=lib.ROOT).stdout.strip()[:8], 16)
print(f"seed {seed}")
rng = random.Random(seed)
server = lib.Server("kill")
here, s3 = server.home, server.s3()
tree = here / "tree"
files, size = sample.make(tree, 2, sample.count() // 2)
s3.create_bucket(Bucket="by-s3")
content = {str(path.relative_to(tree)): path for path in tree.rglob("*") if path.is_file()}
md5 = {name: hashlib.file_digest(open(path, "rb"), "md5").hexdigest() for name, path in content.items()}
# Requests of each sync in a second. rclone asks after each file that it has sent, so that even ten of
# the longest rounds cannot send all files, and each kill meets both syncs at work.
pace = max(2, int(2 * files / (ROUNDS * LONGEST)))
acknowledged = {"s3": set(), "dav": set()}
target = {"s3": "s3:by-s3", "dav": "dav:admin"}
bucket = {"s3": "by-s3", "dav": "admin"}


def sync(door, *more):
    """An rclone that goes on where the last one stopped; its log tells what was acknowledged."""
    log = open(here / f"{door}.log", "wb")
    return subprocess.Popen(
        ["rclone", "copy", "--use-json-log", "-v", "--retries", "1", "--low-level-retries", "1", "--transfers", "4",
         "--s3-upload-cutoff", "8M", "--s3-chunk-size", "5M", "--bwlimit", "12M" if door == "s3" else "off",
         *more, str(tree), target[door]], env=server.rclone_environment(), stdout=log, stderr=log)


def note(door):
    """What the last rclone was told is there."""
    for line in (here / f"{door}.log").read_text(errors="replace").splitlines():
        if line.startswith("{"):
            try:
                row = json.loads(line)
            except ValueError:
                continue  # the last line, cut off
            if row.get("msg", "").startswith("Copied") and row.get("object") in content:
                acknowledged[door].add(row["object"])


def verify(door):
    """Everything listed is whole, everything acknowledged is listed; some is read through the other door."""
    listed = {key: row for key, row in lib.keys_of(s3, bucket[door]).items() if not key.endswith("/")}
    for key, (size, tag) in listed.items():
        same(size, content[key].stat().st_size, f"size of {key}")
        assert "-" in tag or tag == md5[key], f"{key} has the tag {tag}"
    lost = acknowledged[door] - set(listed)
    assert not lost, f"{len(lost)} acknowledged files are gone: {sorted(lost)[:5]}"
    for key in rng.sample(sorted(listed), min(60, len(listed))):
        if door == "dav":
            body = s3.get_object(Bucket=bucket[door], Key=key)["Body"].read()
        else:
            body = server.dav("GET", f"/{bucket[door]}/{lib.urllib.parse.quote(key)}").content
        same(hashlib.md5(body).hexdigest(), md5[key], f"content of {key}")


for turn in range(1, ROUNDS + 1):
    with check(f"kill -9 number {turn}: what was acknowledged is whole"):
        running = {door: sync(door, "--tpslimit", str(pace)) for door in target}
        lib.time.sleep(rng.uniform(0.4, LONGEST))
        ended = {door: process.returncode for door, process in running.items() if process.poll() is not None}
        server.kill()
        for door, process in running.items():
            # It would go on trying for minutes; what it was told is in its log.
            process.kill()
            process.wait()
            note(door)
        server.start()
        assert not ended, f"not in the middle of a sync; exit codes {ended}"
        for door in target:
            verify(door)
        print(f"acknowledged: {', '.join(f'{len(names)} {door}' for door, names in acknowledged.items())} of {files}")

with check("every kill met both syncs half done"):
    for door, names in acknowledged.items():
        assert 0 < len(names) < files, f"{len(names)} of {files} files were acknowledged by {door}"

with check("the syncs go on and end"):
    for door, process in {door: sync(door) for door in target}.items():
        same(process.wait(600), 0, f"exit code of rclone {door}")
    for door in target:
        verify(door)
        same(len([key for key in lib.keys_of(s3, bucket[door]) if not key.endswith("/")]), files)

with check("every hash, through the other door"):
    wanted = lib.hashes(tree)
    server.rclone("copy", "dav:by-s3", here / "one")
    lib.same_tree(lib.hashes(here / "one"), wanted)
    server.rclone("copy", "s3:admin", here / "two")
    lib.same_tree(lib.hashes(here / "two"), wanted)

with check("holdall check is clean after ten kills"):
    server.stop()
    server.holdall("check")
lib.finish()
