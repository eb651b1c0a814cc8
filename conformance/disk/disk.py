"""Fills a small disk through both doors, and frees it again."""

import os
import sys

import lib
from lib import check, code_of, same

if len(sys.argv) > 1:
    server = lib.Server("disk", data=f"{sys.argv[1]}/data")
else:
    free = lib.shutil.disk_usage(lib.tempfile.gettempdir()).free
    server = lib.Server("disk", settings={"HOLDALL_DISK_RESERVE": "1 MiB", "HOLDALL_DISK_FULL_BELOW": str(free - (300 << 20))})
s3 = server.s3()
s3.create_bucket(Bucket="disk")
stored = {}

with check("S3 fills the disk and is refused with a clear code"):
    for number in range(200):
        body = os.urandom(4 << 20)
        status, code = code_of(s3.put_object, Bucket="disk", Key=f"f{number}", Body=body)
        if status != 200:
            break
        stored[f"f{number}"] = lib.hashlib.sha256(body).hexdigest()
    same((status, code), (507, "InsufficientStorage"))
    assert len(stored) > 20, f"only {len(stored)} files fitted"

with check("WebDAV is refused with 507"):
    same(server.dav("PUT", "/disk/x", data=os.urandom(4 << 20)).status_code, 507)

with check("overwriting is refused through both doors, and a part; the old versions stay"):
    body = os.urandom(4 << 20)
    same(code_of(s3.put_object, Bucket="disk", Key="f2", Body=body), (507, "InsufficientStorage"))
    same(server.dav("PUT", "/disk/f3", data=body).status_code, 507)
    upload = s3.create_multipart_upload(Bucket="disk", Key="f2")["UploadId"]
    same(code_of(s3.upload_part, Bucket="disk", Key="f2", UploadId=upload, PartNumber=1, Body=body),
         (507, "InsufficientStorage"))
    s3.abort_multipart_upload(Bucket="disk", Key="f2", UploadId=upload)

with check("what was acknowledged is whole, the rest is not there"):
    same(sorted(lib.keys_of(s3, "disk")), sorted(stored))
    for key, digest in stored.items():
        same(lib.hashlib.sha256(s3.get_object(Bucket="disk", Key=key)["Body"].read()).hexdigest(), digest)

with check("moves and deletes go on"):
    target = {"Destination": f"{server.url}/dav/disk/moved"}
    same(server.dav("MOVE", "/disk/f0", headers=target).status_code, 201)
    s3.delete_object(Bucket="disk", Key="f1")
    same(server.dav("DELETE", "/disk/moved").status_code, 204)

with check("the server starts again on the full disk"):
    server.restart()
    same(len(lib.keys_of(s3, "disk")), len(stored) - 2)

with check("holdall check is clean on the full disk"):
    server.stop()
    server.holdall("check")
lib.finish()
