"""rclone's WebDAV remote."""

import os

import lib
import sample
from lib import check, same

server = lib.Server("rclone-dav")
rclone, here = server.rclone, server.home
tree = here / "tree"
sample.make(tree, 13, 300)

with check("rclone WebDAV: copy, check --download"):
    rclone("copy", tree, "dav:admin/tree")
    rclone("check", "--download", tree, "dav:admin/tree")

with check("rclone WebDAV: sync takes changes over"):
    files = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    files[0].unlink()
    files[1].write_text("changed, and longer than before")
    rclone("sync", tree, "dav:admin/tree")
    rclone("check", "--download", tree, "dav:admin/tree")

with check("rclone WebDAV: sync sees a change that leaves the length, and keeps times"):
    changed = files[1]
    changed.write_bytes(changed.read_bytes()[::-1])
    os.utime(changed, (1_700_000_000, 1_700_000_000))
    rclone("sync", tree, "dav:admin/tree")
    rclone("check", "--download", tree, "dav:admin/tree")
    name = changed.relative_to(tree)
    listed = lib.json.loads(rclone("lsjson", f"dav:admin/tree/{name}").stdout)[0]
    assert listed["ModTime"].startswith("2023-11-14T22:13:20"), listed

with check("rclone WebDAV: a new bucket with mkdir"):
    rclone("mkdir", "dav:new-bucket")
    assert "new-bucket/" in rclone("lsf", "dav:").stdout

with check("rclone WebDAV: a folder moved, and back"):
    before = sorted(rclone("lsf", "-R", "dav:admin/tree").stdout.splitlines())
    rclone("moveto", "dav:admin/tree", "dav:admin/moved tree")
    same(sorted(rclone("lsf", "-R", "dav:admin/moved tree").stdout.splitlines()), before)
    rclone("moveto", "dav:admin/moved tree", "dav:admin/tree")
    rclone("check", "--download", tree, "dav:admin/tree")

with check("rclone WebDAV: copy within the server"):
    rclone("copyto", "dav:admin/tree/video.mp4", "dav:admin/again.mp4")
    rclone("check", "--download", "--include", "/video.mp4", tree, "dav:admin/tree")
    same(lib.json.loads(rclone("lsjson", "dav:admin/again.mp4").stdout)[0]["Size"], 20 << 20)

with check("rclone WebDAV: purge"):
    rclone("purge", "dav:admin/tree")
    assert "tree/" not in rclone("lsf", "dav:admin").stdout

with check("the server ends without a panic (rclone WebDAV)"):
    server.stop()
lib.finish()
