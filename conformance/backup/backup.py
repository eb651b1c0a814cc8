"""Backups under load, restored into an empty directory and compared through both doors; kill -9 of the
server in the middle of one; another recovery key; damage; what a backup makes others wait."""

import hashlib
import random
import re
import subprocess
import threading
import time

import lib
from lib import check, same

MB = 1 << 20
KILLS = 20 if lib.LONG else 4
RESTORES = 100 if lib.LONG else 2
seed = int(hashlib.sha256(lib.os.environ.get("HOLDALL_SEED", "").encode()).hexdigest()[:8], 16)
print(f"seed {seed}")
rng = random.Random(seed)
server = lib.Server("backup")
key = re.search(r"([a-z2-7]{4}-){12}[a-z2-7]{4}", server.log.read_text()).group(0)
dest = server.home / "backups"
s3 = server.s3()
s3.create_bucket(Bucket="files")


def fill(folder, megabytes):
    """A tree of files of many sizes, put through both doors."""
    tree = server.home / "tree" / folder
    for number in range(megabytes // 2):
        for name, size in [("large", 1 << 20), ("small", 4096), ("middle", 300_000), ("empty", 0)]:
            path = tree / f"{number % 7}" / f"{name} {number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rng.randbytes(size))
    server.aws("s3", "cp", "--recursive", "--quiet", tree, f"s3://files/{folder}-s3")
    server.rclone("copy", tree, f"dav:files/{folder}-dav")
    return {f"{folder}-{door}/{name}": sha for door in ["s3", "dav"] for name, sha in lib.hashes(tree).items()}


def back_up(*words, good=True):
    return server.holdall("backup", "create", dest, *words, "--json", good=good)


def verify(*words):
    return server.holdall("backup", "verify", dest, *words, "--json", good=False)


def restored(name, *words):
    """A server on what is restored."""
    into = server.home / name
    server.holdall("backup", "restore", dest, "--into", into, *words, stdin=f"{key}\n")
    return lib.Server(f"backup-{name}", data=into)


def compare(other, wanted):
    """Both doors give exactly these files."""
    for door, fetch in [("s3", lambda to: other.aws("s3", "cp", "--recursive", "--quiet", "s3://files", to)),
                        ("dav", lambda to: other.rclone("copy", "dav:files", to))]:
        to = lib.scratch(f"backup-{door}")
        fetch(to)
        lib.same_tree(lib.hashes(to), wanted)


class Load:
    """People at work: each file says what it is, and a token is always in one of two places."""

    def __init__(self, writers=3):
        self.end, self.turns, self.errors, self.waits = threading.Event(), 0, [], []
        jobs = [threading.Thread(target=self._guard, args=(self._work, number)) for number in range(writers)]
        self.threads = jobs + [threading.Thread(target=self._guard, args=(self._probe,))]
        for thread in self.threads:
            thread.start()

    def _guard(self, job, *args):
        try:
            job(*args)
        except Exception as error:
            if not self.end.is_set():
                self.errors.append(error)

    def _work(self, number):
        client, turn = server.s3(), 0
        # A writer before may have left it in either place.
        server.dav("MKCOL", f"/files/load-{number}-there/")
        server.dav("DELETE", f"/files/load-{number}-there/token")
        client.put_object(Bucket="files", Key=f"load-{number}-here/token", Body=b"token")
        while not self.end.is_set():
            turn += 1
            for name in ["n", "m"]:
                body = f"{number} {turn} ".encode() * (2000 + turn % 17 * 3000)
                client.put_object(Bucket="files", Key=f"load-{number}-here/{name}", Body=body)
            places = [f"/files/load-{number}-here/token", f"/files/load-{number}-there/token"]
            moved = server.dav("MOVE", places[(turn + 1) % 2], headers={"Destination": f"{server.url}/dav{places[turn % 2]}"})
            assert moved.status_code in (201, 204), moved.status_code
            client.put_object(Bucket="files", Key=f"load-{number}-there/gone", Body=rng.randbytes(200_000))
            client.delete_object(Bucket="files", Key=f"load-{number}-there/gone")
            self.turns += 1

    def _probe(self):
        """One small PUT after the other: how long each waits."""
        client = server.s3()
        while not self.end.is_set():
            began = time.monotonic()
            client.put_object(Bucket="files", Key="probe", Body=b"probe")
            self.waits.append((began, time.monotonic() - began))
            time.sleep(0.002)

    def waited(self, since, until):
        """Milliseconds that PUTs took in this time, in order."""
        return sorted(1000 * took for began, took in self.waits if began + took > since and began < until)

    def stop(self):
        self.end.set()
        for thread in self.threads:
            thread.join(60)
        same(self.errors, [], "errors of the load")


def one_state(client, writers=3):
    """What the load wrote is one state."""
    for number in range(writers):
        turns = []
        for name in ["n", "m"]:
            body = client.get_object(Bucket="files", Key=f"load-{number}-here/{name}")["Body"].read()
            turn = int(body.split()[1])
            same(body, f"{number} {turn} ".encode() * (2000 + turn % 17 * 3000), f"content of {name} {turn}")
            turns.append(turn)
        assert turns[0] - turns[1] in (0, 1), turns
        keys = [row for row in lib.keys_of(client, "files") if row.startswith(f"load-{number}-") and row.endswith("/token")]
        same(len(keys), 1, "tokens")


def quantiles(waits):
    at = lambda part: waits[min(len(waits) - 1, int(part * len(waits)))]
    return f"p50 {at(0.5):.1f}, p99 {at(0.99):.1f}, worst {waits[-1]:.1f} ms of {len(waits)}"


with check("a backup in the data directory, or in a folder of something else, is refused"):
    same(server.holdall("backup", "create", server.data / "backups", good=False).returncode, 1)
    same(server.holdall("backup", "create", server.home, good=False).returncode, 1)

wanted = fill("first", 80)
# What is still written is copied whole each time; starting seals it.
server.restart()

with check("what is restored from the first backup is there through both doors, bit for bit"):
    first = lib.as_json(back_up())
    same((first["point"], verify().returncode), (1, 0))
    other = restored("one")
    compare(other, wanted)
    other.stop()
    other.holdall("check")

with check("a second backup copies only what is new, and is as whole"):
    wanted |= fill("second", 20)
    second = lib.as_json(back_up())
    assert second["copied_bytes"] < second["bytes"] / 2, second
    same((second["point"], verify().returncode, verify("--point", "1").returncode), (2, 0, 0))

with check("a backup makes a small PUT wait at most 100 ms longer than it would, and is one state"):
    load = Load()
    time.sleep(1)
    (server.home / "aside").mkdir()
    # What a backup holds up it holds up each time; what others on this machine do comes and goes.
    for turn in range(3):
        began, runs = time.monotonic(), []
        time.sleep(5)
        quiet = load.waited(began, time.monotonic())
        # Into another folder each time: everything is copied.
        for number in range(3):
            began = time.monotonic()
            done = lib.as_json(server.holdall("backup", "create", server.home / "aside" / f"{turn}-{number}", "--json"))
            runs.append((load.waited(began, time.monotonic()), done["copied_bytes"], time.monotonic() - began))
        busy = sorted(wait for waits, *_ in runs for wait in waits)
        print(f"PUTs without a backup: {quantiles(quiet)}")
        print(f"PUTs during {len(runs)} backups of {runs[0][1] // MB} MB in {sum(took for *_, took in runs) / len(runs):.1f} s each: {quantiles(busy)}")
        if busy[-1] <= quiet[-1] + 100:
            break
    assert busy[-1] <= quiet[-1] + 100, (quiet[-1], busy[-1])

with check(f"{RESTORES} backups under load, restored: each is one state, and the check is clean"):
    for number in range(RESTORES):
        done = lib.as_json(back_up("--keep", "3"))
        same(verify().returncode, 0)
        other = restored(f"load-{number}")
        one_state(other.s3())
        found = lib.keys_of(other.s3(), "files")
        # rclone makes folders, too.
        files = [name for name in found if not name.startswith(("load-", "probe")) and not name.endswith("/")]
        same(sorted(files), sorted(wanted))
        other.stop()
        other.holdall("check")
        lib.shutil.rmtree(other.data)
    load.stop()
    assert load.turns > 10, load.turns

for turn in range(1, KILLS + 1):
    with check(f"kill -9 number {turn}, in the middle of a backup: the ones before are whole, and it can be made again"):
        wanted |= fill(f"kill-{turn}", 10)
        before = [row["point"] for row in lib.as_json(server.holdall("backup", "list", dest, "--json"))]
        env = server.environment(HOLDALL_DATA=server.data)
        running = subprocess.Popen([lib.BINARY, "backup", "create", dest], env=env, cwd=server.home,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.01, 0.25))
        server.kill()
        running.wait(60)
        for point in before:
            same(verify("--point", str(point)).returncode, 0, f"point {point}")
        server.start()
        back_up("--keep", "3")
        same(verify().returncode, 0)

with check("without the server a backup is made, too; three are kept, and the last has everything"):
    server.stop()
    server.holdall("gc")
    back_up("--keep", "3")
    same(len(lib.as_json(server.holdall("backup", "list", dest, "--json"))), 3)
    same(verify().returncode, 0)
    server.start()
    other = restored("last")
    for name in lib.keys_of(other.s3(), "files"):
        if name.startswith(("load-", "probe")):
            other.s3().delete_object(Bucket="files", Key=name)
    compare(other, wanted)

with check("the restored server is another life: its versions have names that were never given before"):
    for client in [s3, other.s3()]:
        client.create_bucket(Bucket="versions")
        client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    ids = [client.put_object(Bucket="versions", Key="a", Body=b"a")["VersionId"] for client in [s3, other.s3()]]
    assert ids[0][:8] < ids[1][:8], ids
    other.stop()

with check("another recovery key restores nothing and makes nothing"):
    into = server.home / "nothing"
    done = server.holdall("backup", "restore", dest, "--into", into, stdin="aaaa-bbbb\n", good=False)
    same((done.returncode, into.exists()), (1, False))
    assert "recovery key" in done.stderr, done.stderr
    done = server.holdall("backup", "restore", dest, "--into", into, stdin="", good=False)
    assert done.returncode == 2 and "the recovery key is read from standard input" in done.stderr, done
    (server.home / "full").mkdir()
    (server.home / "full" / "file").write_text("mine")
    done = server.holdall("backup", "restore", dest, "--into", server.home / "full", stdin=f"{key}\n", good=False)
    same((done.returncode, [path.name for path in (server.home / "full").iterdir()]), (1, ["file"]))

with check("a folder whose mark is not what was written is not touched"):
    marker = dest / "HOLDALL-BACKUP"
    kept = marker.read_bytes()
    try:
        marker.write_bytes(kept.replace(b"holdall backup 1", b"holdall backup 2"))
        changed = marker.read_bytes()
        assert changed != kept, kept
        for done in [back_up(good=False), verify(), server.holdall("backup", "list", dest, good=False),
                     server.holdall("backup", "restore", dest, "--into", into, stdin=f"{key}\n", good=False)]:
            assert done.returncode in (1, 2) and done.stderr, done
        same((into.exists(), marker.read_bytes()), (False, changed))
    finally:
        marker.write_bytes(kept)
    same(verify().returncode, 0)

with check("damage anywhere in a backup is found, and not restored as if it were whole"):
    newest = max(dest.glob("points/*.point")).stem
    listed = (dest / "points" / f"{newest}.point").read_text()
    segments = [path for path in dest.glob("segments/*.seg") if path.stem.split("-")[1] in listed]
    for number, path in enumerate([rng.choice(segments), dest / "points" / f"{newest}.meta", dest / "points" / f"{newest}.point"]):
        whole = path.read_bytes()
        at = rng.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:])
        same(verify().returncode, 1, f"verify with a bad byte in {path.name}")
        into = server.home / f"damaged-{number}"
        done = server.holdall("backup", "restore", dest, "--into", into, stdin=f"{key}\n", good=False)
        same(done.returncode, 1, f"restore with a bad byte in {path.name}")
        if into.exists():
            env = server.environment(HOLDALL_DATA=into)
            assert lib.run(lib.BINARY, "check", env=env, good=False, cwd=server.home).returncode != 0
        # A segment was moved aside when it was found.
        path.unlink(missing_ok=path.suffix == ".seg")
        same(verify().returncode == 0, False, f"verify without {path.name}") if path.suffix != ".point" else None
        path.write_bytes(whole)
    same(verify().returncode, 0)
    same(server.holdall("backup", "verify", server.home, good=False).returncode, 2)
server.stop()
lib.finish()
