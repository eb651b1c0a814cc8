"""rclone's S3 remote."""

import lib
import sample
from lib import check, same

server = lib.Server("rclone-s3")
rclone, here = server.rclone, server.home
tree = here / "tree"
sample.make(tree, 11, 300)

with check("rclone S3: mkdir, copy, check --download"):
    rclone("mkdir", "s3:rclone-s3")
    rclone("copy", tree, "s3:rclone-s3/tree")
    rclone("check", "--download", tree, "s3:rclone-s3/tree")

with check("rclone S3: sync takes changes over"):
    files = [path for path in sorted(tree.rglob("*")) if path.is_file()]
    files[0].unlink()
    files[1].write_text("changed")
    rclone("sync", tree, "s3:rclone-s3/tree")
    rclone("check", "--download", tree, "s3:rclone-s3/tree")

with check("rclone S3: modification times are kept"):
    rclone("copyto", files[1], "s3:rclone-s3/time.txt")
    row = lib.json.loads(rclone("lsjson", "s3:rclone-s3/time.txt").stdout)[0]
    same(row["ModTime"][:19], lib.time.strftime("%Y-%m-%dT%H:%M:%S", lib.time.gmtime(files[1].stat().st_mtime)))

with check("rclone S3: 64 MiB in parts from a stream"):
    large = here / "large"
    lib.run("dd", "if=/dev/urandom", f"of={large}", "bs=1M", "count=64", "status=none")
    rclone("copyto", "--s3-upload-cutoff", "10M", "--s3-chunk-size", "8M", large, "s3:rclone-s3/large")
    rclone("check", "--download", "--include", "/large", here, "s3:rclone-s3")

with check("rclone S3: moveto, deletefile, purge"):
    rclone("moveto", "s3:rclone-s3/large", "s3:rclone-s3/moved to/large")
    rclone("deletefile", "s3:rclone-s3/moved to/large")
    rclone("purge", "s3:rclone-s3/tree")
    same(rclone("lsf", "s3:rclone-s3").stdout, "time.txt\n")

with check("the server ends without a panic (rclone S3)"):
    server.stop()
lib.finish()
