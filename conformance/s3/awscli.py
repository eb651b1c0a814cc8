"""aws-cli: buckets, copies, syncs, a large upload in parts, a presigned address."""

import lib
import sample
from lib import check, same

server = lib.Server("awscli")
aws, here = server.aws, server.home
tree = here / "tree"
sample.make(tree, 7, 200)
wanted = lib.hashes(tree)

with check("aws s3 mb, ls"):
    aws("s3", "mb", "s3://aws-bucket")
    assert "aws-bucket" in aws("s3", "ls").stdout

with check("aws s3 cp, both ways"):
    (here / "one.txt").write_text("one\n")
    aws("s3", "cp", here / "one.txt", "s3://aws-bucket/dir with space/one ü.txt")
    aws("s3", "cp", "s3://aws-bucket/dir with space/one ü.txt", here / "back.txt")
    same((here / "back.txt").read_text(), "one\n")

with check("aws s3 sync up and down"):
    aws("s3", "sync", tree, "s3://aws-bucket/tree", "--quiet")
    aws("s3", "sync", "s3://aws-bucket/tree", here / "down", "--quiet")
    lib.same_tree(lib.hashes(here / "down"), wanted)

with check("a second aws s3 sync has nothing to do"):
    same(aws("s3", "sync", tree, "s3://aws-bucket/tree", "--dryrun").stdout, "")

with check("aws s3 sync --delete"):
    gone = next(path for path in sorted(tree.rglob("*")) if path.is_file())
    gone.unlink()
    aws("s3", "sync", tree, "s3://aws-bucket/tree", "--delete", "--quiet")
    names = aws("s3", "ls", "--recursive", "s3://aws-bucket/tree/").stdout.splitlines()
    same(len(names), len(wanted) - 1, "number of keys")

with check("aws s3 cp of 100 MiB in parts"):
    large = here / "large.bin"
    lib.run("dd", "if=/dev/urandom", f"of={large}", "bs=1M", "count=100", "status=none")
    aws("s3", "cp", large, "s3://aws-bucket/large.bin", "--quiet")
    head = lib.as_json(aws("s3api", "head-object", "--bucket", "aws-bucket", "--key", "large.bin"))
    same(head["ContentLength"], 100 << 20)
    assert "-" in head["ETag"], head["ETag"]
    aws("s3", "cp", "s3://aws-bucket/large.bin", here / "large.back", "--quiet")
    same(lib.sha256(here / "large.back"), lib.sha256(large))

with check("aws s3 cp from key to key, and mv"):
    aws("s3", "cp", "s3://aws-bucket/large.bin", "s3://aws-bucket/copy.bin", "--quiet")
    aws("s3", "mv", "s3://aws-bucket/copy.bin", "s3://aws-bucket/moved.bin", "--quiet")
    aws("s3", "cp", "s3://aws-bucket/moved.bin", here / "moved", "--quiet")
    same(lib.sha256(here / "moved"), lib.sha256(here / "large.bin"))

with check("aws s3 presign, read with curl"):
    url = aws("s3", "presign", "s3://aws-bucket/dir with space/one ü.txt").stdout.strip()
    same(lib.run("curl", "-sf", url).stdout, "one\n")

with check("a presigned address that was changed is refused"):
    done = lib.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url.replace("Expires=3600", "Expires=3601"))
    same(done.stdout, "403")

with check("without a signature nothing is read"):
    done = lib.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url.split("?")[0])
    same(done.stdout, "403")

with check("aws s3 rm --recursive, rb"):
    assert aws("s3", "rb", "s3://aws-bucket", good=False).returncode != 0
    aws("s3", "rm", "--recursive", "s3://aws-bucket", "--quiet")
    same(aws("s3", "ls", "--recursive", "s3://aws-bucket", good=False).stdout, "")
    aws("s3", "rb", "s3://aws-bucket")

with check("the server ends without a panic (aws-cli)"):
    server.stop()
lib.finish()
