"""10,000 small files imported, exported, imported elsewhere; export and server killed in between."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time

import lib
from lib import check, same

COUNT = 10_000
rng = lib.dice()
server = lib.Server("export")
s3 = server.s3()
for name in ["files", "again", "odd", "odd-again", "watched"]:
    s3.create_bucket(Bucket=name)
source, first, second = server.home / "from", server.home / "first", server.home / "second"


def command(*words, codes=(0,)):
    """Runs with --json and gives what it said; the exit code must be one of these."""
    done = server.holdall(*words, "--json", good=False)
    assert done.returncode in codes, f"exit code {done.returncode}: {(done.stdout + done.stderr)[-500:]}"
    return json.loads(done.stdout) if done.stdout.strip() else {}


def timed(what, *words):
    began = time.monotonic()
    said = command(*words)
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)
    return said


def export_until(moment, dest):
    """Begins an export and ends it once so many files are there."""
    words = [lib.BINARY, "export", "files", dest]
    process = subprocess.Popen(words, env=server.environment(HOLDALL_DATA=server.data), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while process.poll() is None and sum(len(names) for _, _, names in os.walk(dest / "files")) < moment:
        assert time.monotonic() < end, "the export writes nothing"
        time.sleep(0.01)
    return process


def watched(*words):
    """Runs with its messages on a terminal, and gives what was seen there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([lib.BINARY, *words], env=server.environment(HOLDALL_DATA=server.data), cwd=server.home,
                               stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # Nobody else has it open any more.
            break
    os.close(ours)
    same(process.wait(), 0, "the exit code")
    return seen.decode()


def times(folder):
    """Names and times of last change, as the store keeps them."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns // 1_000_000 for path in files}


for number in range(COUNT):
    path = source / f"{number % 13}" / f"{number % 97}" / f"file {number}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rng.randbytes(rng.randrange(4000)))
    os.utime(path, ns=(0, rng.randrange(10**18)))
(source / "large").write_bytes(rng.randbytes(30 << 20))

with check("10,000 files are imported, and none twice"):
    same(timed("import", "import", source, "--into", "files")["files"], COUNT + 1)
    said = timed("import again", "import", source, "--into", "files")
    same((said["files"], said["same"]), (0, COUNT + 1))

with check("import and export show how far they are on a terminal, and nothing in a pipe"):
    clear = "\r\x1b[K"
    for verb, words in [("importing", ["import", source, "--into", "watched"]),
                        ("exporting", ["export", "watched", server.home / "watched"])]:
        seen = watched(*words)
        assert re.search(f"{re.escape(clear)}{verb}: [0-9]", seen), f"{words[0]}: {seen!r}"
        assert seen.endswith(clear), f"{words[0]} leaves its line: {seen[-80:]!r}"
        piped = server.holdall(*words)
        assert "\r" not in piped.stderr + piped.stdout and "\x1b" not in piped.stderr + piped.stdout, piped
    shutil.rmtree(server.home / "watched")

with check("an export that is killed goes on where it was"):
    process = export_until(2000, first)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = len(lib.hashes(first / "files"))
    assert 2000 <= there <= COUNT, f"{there} files were there when it was killed"
    said = timed("the rest of the export", "export", "files", first)
    same((said["files"] + said["same"], said["same"]), (COUNT + 1, there))
    lib.same_tree(lib.hashes(first / "files"), lib.hashes(source))
    same(times(first / "files"), times(source), "times")

with check("an export whose server is killed says that it has not finished, and goes on"):
    process = export_until(2000, second)
    server.kill()
    same(process.wait(), 2, "the exit code")
    server.start()
    said = command("export", "files", second)
    assert said["same"] >= 1000, said
    lib.same_tree(lib.hashes(second / "files"), lib.hashes(source))

with check("what was exported and imported is the same, and exported again too"):
    command("import", first / "files" / "3", "--into", "again/3")
    tags = [{row["Key"]: row["ETag"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="3/")
             for row in page["Contents"]} for bucket in ["files", "again"]]
    same(tags[0], tags[1], "keys and tags")
    command("export", "again", second)
    lib.same_tree(lib.hashes(second / "again" / "3"), lib.hashes(source / "3"))

ODD = ["a//b", "odd//", "/leading", "x/../y", "x/./z", "..", ".", "dir/", "ends /x", "c\x01", "twin", "twin/below",
       "k" * 1024, "/".join(["seg" * 5] * 64), "ü" * 512, "é", "e\u0301", "A", "a", "CON", "nul.txt", "tail. ", "a\\b",
       "%2E%2E", "%empty", "x%file", "%holdall-export/x", "line\nbreak"]
with check("keys that are no paths come through folders unchanged, and lead nowhere else"):
    for key in ODD:
        s3.put_object(Bucket="odd", Key=key, Body=key.encode())
    same(command("export", "odd", first)["files"], len(ODD))
    same(sorted(path.name for path in first.iterdir()), ["%holdall-export", "files", "odd"])
    same(command("import", first / "odd", "--into", "odd-again")["files"], len(ODD))
    for key in ODD:
        same(s3.get_object(Bucket="odd-again", Key=key)["Body"].read().decode(), key)
    command("export", "odd-again", first)
    lib.same_tree(lib.hashes(first / "odd-again"), lib.hashes(first / "odd"))

with check("after kill -9 and a rebuild everything is there"):
    server.kill()
    refused = server.holdall("rebuild", good=False)
    same(refused.returncode, 1)
    assert "nothing is wrong" in refused.stderr, refused.stderr
    began = time.monotonic()
    server.holdall("rebuild", "--force")
    print(f"rebuild: {time.monotonic() - began:.1f} s", flush=True)
    same(command("export", "files", first)["same"], COUNT + 1)
    server.holdall("check")

server.stop(quiet=True)
lib.finish()
