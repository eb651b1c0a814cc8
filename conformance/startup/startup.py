"""Starts that must be refused, and commands in odd places."""

import json
import os
import pty
import subprocess

import lib
from lib import check, same

server = lib.Server("startup")


def start(**settings):
    """A start that should end by itself; gives exit code and what it said."""
    env = server.environment(**({"HOLDALL_DATA": server.data, "HOLDALL_LISTEN": f"127.0.0.1:{lib.free_port()}"} | settings))
    done = lib.run(lib.BINARY, "serve", env=env, good=False, timeout=30, cwd=server.home)
    return done.returncode, done.stderr


with check("a second server on the same directory is refused"):
    code, said = start()
    same(code, 1)
    assert "using this data directory" in said, said

with check("an unknown setting is refused by name"):
    code, said = start(HOLDALL_S3_REGOIN="x")
    same(code, 2)
    assert "HOLDALL_S3_REGOIN" in said and "HOLDALL_S3_REGION" in said, said
    (server.home / "bad.toml").write_text("[s3]\nregoin = 1\n")
    code, said = start(HOLDALL_CONFIG=server.home / "bad.toml")
    same(code, 2)
    assert "s3.regoin" in said, said

with check("an address that is taken is refused, and nothing is made"):
    code, said = start(HOLDALL_DATA=server.home / "other", HOLDALL_LISTEN=f"127.0.0.1:{server.port}")
    same(code, 1)
    assert str(server.port) in said, said
    assert not (server.home / "other").exists(), "a start that failed made a data directory"

with check("commands work while the server runs, and when it does not"):
    made = lib.as_json(server.holdall("user", "add", "carol", "--email", "c@x.org", "--json"))
    same(len(made["id"]), 64)
    server.stop()
    shown = lib.as_json(server.holdall("user", "show", "carol", "--json"))
    same([shown[name] for name in ("id", "name", "email", "display_name")], [made["id"], "carol", "c@x.org", "carol"])
    same(server.holdall("user", "add", "carol", good=False).returncode, 1)
    same(server.holdall("user", "frobnicate", good=False).returncode, 2)

with check("a preset that cannot be is refused by name, and nothing is made"):
    code, said = start(HOLDALL_DATA=server.home / "other", HOLDALL_ADMIN_PASSWORD="x")
    same((code, (server.home / "other").exists()), (2, False))
    assert "admin.password" in said, said

with check("presets that changed are warned about, and not taken"):
    server.settings["HOLDALL_ADMIN_PASSWORD"] = "another-password"
    server.start()
    assert "first start only" in server.tail(), server.tail()
    same(server.dav("PROPFIND", "/admin/", auth=(lib.USER, "another-password")).status_code, 401)
    server.stop()

FORMAT = server.data / "FORMAT"
kept = FORMAT.read_bytes()


def refused_format(text, words):
    """A server that meets this FORMAT says these words, and leaves it as it is; so does doctor."""
    FORMAT.write_bytes(text)
    code, said = start()
    same((code, FORMAT.read_bytes()), (1, text))
    assert words in said and "at the moment" not in said, said
    done = server.holdall("doctor", good=False)
    same((done.returncode, FORMAT.read_bytes()), (1, text))
    assert words in done.stdout, done.stdout
    FORMAT.write_bytes(kept)


def crc32c(data):
    """The sum at the end of FORMAT, which no standard library has."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


with check("a newer format is refused, and left as it is"):
    lines = kept.split(b"\n", 1)
    same(lines[0], b"holdall format 1")
    refused_format(b"holdall format 2\n" + lines[1], "use a newer one")

with check("an incompatible feature that is not known is refused by name"):
    body = kept[: kept.rindex(b"crc32c ")]
    same(kept, body + b"crc32c %08x\n" % crc32c(body))
    body = body.replace(b"incompat\n", b"incompat from-the-future\n")
    refused_format(body + b"crc32c %08x\n" % crc32c(body), '"from-the-future"')

with check("a damaged format is called damage"):
    refused_format(kept[:-8] + b"\xff" * 8, "FORMAT of the data directory is not what was written")
    server.start()

with check("no data is made by a command that only reads"):
    done = server.holdall("--data", server.home / "nowhere", "user", "list", good=False)
    same((done.returncode, (server.home / "nowhere").exists()), (1, False))
    empty = server.home / "empty"
    empty.mkdir()
    done = server.holdall("--data", empty, "user", "list", good=False)
    same((done.returncode, list(empty.iterdir())), (1, []))

with check("holdall check ends with 0 where all is clean, 1 where something is damaged, 2 where that is not known"):
    server.s3().put_object(Bucket="admin", Key="file", Body=os.urandom(100_000))
    same(server.holdall("check").returncode, 0)
    server.stop()
    for path in [path for path in server.data.glob("segments/*/*.seg") if path.stat().st_size > 100_000]:
        path.rename(server.home / path.name)
    done = server.holdall("check", "--json", good=False)
    said = lib.as_json(done)
    same((done.returncode, said["clean"], said["unfinished"], said["found"] > 0), (1, False, None, True))
    meta = server.data / "meta" / "holdall.redb"
    meta.write_bytes(meta.read_bytes()[:5000])
    done = server.holdall("check", "--json", good=False)
    same((done.returncode, done.stdout), (2, ""))
    assert "nothing was checked" in done.stderr, done.stderr
    lib.shutil.rmtree(server.data)
    server.settings["HOLDALL_ADMIN_PASSWORD"] = lib.PASSWORD
    server.start()

if os.geteuid() == 0:
    with check("another user than the owner is refused"):
        os.chmod(server.home, 0o755)
        binary = lib.shutil.copy(lib.BINARY, server.home / "holdall")
        done = lib.run("setpriv", "--reuid=65534", "--clear-groups", binary, "--data", server.data, "user", "list",
                       env=server.environment(), good=False, cwd="/")
        same(done.returncode, 1)
        assert "another user" in done.stderr, done.stderr

with check("a data directory whose path is over 107 bytes"):
    deep = server.home / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    other = lib.Server("deep", data=deep / "data")
    same([row["name"] for row in lib.as_json(other.holdall("user", "list", "--json"))], ["admin"])
    other.stop()

with check("config show tells sources and hides secrets"):
    env = server.environment(**server.settings)
    done = lib.run(lib.BINARY, "config", "show", "--json", env=env, cwd=server.home)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    same((rows["admin.secret_key"]["value"], rows["data"]["source"]), ("***", "environment"))
    assert lib.SECRET not in done.stdout

with check("the log is JSON in a file, and lines for people on a terminal"):
    rows = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert any(row.get("target") == "holdall::access" and row.get("id") for row in rows), server.tail()
    rest = [line for line in server.log.read_text().splitlines() if line and not line.startswith("{")]
    assert not any("INFO" in line or "WARN" in line for line in rest), rest
    ours, theirs = pty.openpty()
    env = server.environment(HOLDALL_DATA=server.home / "terminal", HOLDALL_LISTEN=f"127.0.0.1:{lib.free_port()}")
    process = subprocess.Popen([lib.BINARY, "serve"], env=env, stderr=theirs, stdout=subprocess.DEVNULL, cwd=server.home)
    os.close(theirs)
    said, end = b"", lib.time.monotonic() + 20
    while b"INFO" not in said and lib.time.monotonic() < end:
        said += os.read(ours, 4096)
    process.terminate()
    same(process.wait(40), 0)
    os.close(ours)
    assert b"INFO" in said and b'{"' not in said, said

with check("no secret is in the log"):
    server.stop()
    log = server.log.read_text(errors="replace")
    assert lib.SECRET not in log and lib.PASSWORD not in log
lib.finish()
