"""A sample of files written through one door and read through the other."""

import lib
import sample
from lib import check, same

server = lib.Server("across")
rclone, here, s3 = server.rclone, server.home, server.s3()
tree = here / "tree"
files, size = sample.make(tree, 1, sample.count())
wanted = lib.hashes(tree)
print(f"{files} files, {size >> 20} MiB")
s3.create_bucket(Bucket="from-s3")


def timed(what, *words):
    began = lib.time.monotonic()
    rclone(*words)
    print(f"{what}: {lib.time.monotonic() - began:.1f} s", flush=True)


with check("written through S3, read through WebDAV"):
    timed("S3 in", "copy", tree, "s3:from-s3")
    timed("WebDAV out", "copy", "dav:from-s3", here / "out-dav")
    lib.same_tree(lib.hashes(here / "out-dav"), wanted)

with check("written through WebDAV, read through S3"):
    timed("WebDAV in", "copy", tree, "dav:admin/tree")
    timed("S3 out", "copy", "s3:admin/tree", here / "out-s3")
    lib.same_tree(lib.hashes(here / "out-s3"), wanted)

with check("both doors list the same names and sizes"):
    through_s3 = {key: size for key, (size, _) in lib.keys_of(s3, "from-s3").items()}
    listed = lib.json.loads(rclone("lsjson", "-R", "--files-only", "--fast-list", "dav:from-s3").stdout)
    same({row["Path"]: row["Size"] for row in listed}, through_s3)
    same(len(through_s3), files)

with check("a folder moved through WebDAV is moved in S3"):
    server.dav("MOVE", "/admin/tree/", headers={"Destination": f"{server.url}/dav/admin/moved/"}).raise_for_status()
    keys = lib.keys_of(s3, "admin")
    same({key for key in keys if not key.endswith("/")}, {f"moved/{name}" for name in wanted})

with check("everything is still there after a restart"):
    server.restart()
    same({key: size for key, (size, _) in lib.keys_of(s3, "from-s3").items()}, through_s3)

if lib.LONG:
    with check("a file over 2 GiB, from S3 to WebDAV"):
        large = here / "large"
        lib.run("dd", "if=/dev/urandom", f"of={large}", "bs=1M", "count=2100", "status=none")
        timed("2 GiB in", "copyto", large, "s3:from-s3/large")
        timed("2 GiB out", "copyto", "dav:from-s3/large", here / "large.back")
        same(lib.sha256(here / "large.back"), lib.sha256(large))

with check("holdall check is clean"):
    server.stop()
    server.holdall("check")
lib.finish()
