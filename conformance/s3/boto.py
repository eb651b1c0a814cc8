"""boto3 over http and https: the operations programs use, each with what it answers."""

import hashlib
import os

import requests

import lib
from lib import check, code_of, same


def objects(s3, name):
    with check(f"{name}: put, head, get, range, delete"):
        body = os.urandom(200_000)
        put = s3.put_object(Bucket="boto", Key="k/ä b", Body=body, ContentType="text/x", Metadata={"note": "hi"})
        same(put["ETag"].strip('"'), hashlib.md5(body).hexdigest(), "ETag")
        head = s3.head_object(Bucket="boto", Key="k/ä b")
        same((head["ContentLength"], head["ContentType"], head["Metadata"]), (len(body), "text/x", {"note": "hi"}))
        same(s3.get_object(Bucket="boto", Key="k/ä b")["Body"].read(), body)
        part = s3.get_object(Bucket="boto", Key="k/ä b", Range="bytes=10-19")
        same((part["Body"].read(), part["ContentRange"]), (body[10:20], "bytes 10-19/200000"))
        same(code_of(s3.get_object, Bucket="boto", Key="k/ä b", Range="bytes=200000-")[0], 416)
        s3.delete_object(Bucket="boto", Key="k/ä b")
        same(code_of(s3.get_object, Bucket="boto", Key="k/ä b"), (404, "NoSuchKey"))

    with check(f"{name}: conditions"):
        tag = s3.put_object(Bucket="boto", Key="c", Body=b"1", IfNoneMatch="*")["ETag"]
        same(code_of(s3.put_object, Bucket="boto", Key="c", Body=b"2", IfNoneMatch="*")[0], 412)
        same(code_of(s3.put_object, Bucket="boto", Key="c", Body=b"2", IfMatch='"00"')[0], 412)
        same(code_of(s3.get_object, Bucket="boto", Key="c", IfNoneMatch=tag)[0], 304)
        same(code_of(s3.get_object, Bucket="boto", Key="c", IfMatch='"00"')[0], 412)
        s3.put_object(Bucket="boto", Key="c", Body=b"3", IfMatch=tag)
        same(s3.get_object(Bucket="boto", Key="c")["Body"].read(), b"3")

    for kind in ["CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"]:
        with check(f"{name}: checksum {kind}"):
            s3.put_object(Bucket="boto", Key="sum", Body=b"hello", ChecksumAlgorithm=kind)
            head = s3.head_object(Bucket="boto", Key="sum", ChecksumMode="ENABLED")
            assert head.get(f"Checksum{kind}"), head["ResponseMetadata"]["HTTPHeaders"]

    with check(f"{name}: a wrong Content-MD5 leaves nothing"):
        same(code_of(s3.put_object, Bucket="boto", Key="bad", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg=="),
             (400, "BadDigest"))
        same(code_of(s3.head_object, Bucket="boto", Key="bad")[0], 404)


def listings(s3, name):
    with check(f"{name}: listings, delimiters, pages"):
        keys = sorted([f"l/{i // 10}/{i:03}" for i in range(60)] + ["l/z"])
        for key in keys:
            s3.put_object(Bucket="boto", Key=key, Body=b"x")
        page = s3.list_objects_v2(Bucket="boto", Prefix="l/", MaxKeys=25)
        same((page["KeyCount"], page["IsTruncated"]), (25, True))
        found = [row["Key"] for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket="boto", Prefix="l/", PaginationConfig={"PageSize": 7}) for row in page["Contents"]]
        same(found, keys)
        found = [row["Key"] for page in s3.get_paginator("list_objects").paginate(
            Bucket="boto", Prefix="l/", PaginationConfig={"PageSize": 7}) for row in page["Contents"]]
        same(found, keys)
        page = s3.list_objects_v2(Bucket="boto", Prefix="l/", Delimiter="/")
        same([row["Prefix"] for row in page["CommonPrefixes"]], [f"l/{i}/" for i in range(6)])
        same([row["Key"] for row in page["Contents"]], ["l/z"])

    with check(f"{name}: delete_objects"):
        gone = s3.delete_objects(Bucket="boto", Delete={"Objects": [{"Key": key} for key in keys + ["never"]]})
        same((len(gone["Deleted"]), gone.get("Errors")), (len(keys) + 1, None))
        same(s3.list_objects_v2(Bucket="boto", Prefix="l/")["KeyCount"], 0)


def multipart(s3, name):
    with check(f"{name}: upload in parts, listed, completed, copied"):
        up = {"Bucket": "boto", "Key": "mp", "UploadId": s3.create_multipart_upload(Bucket="boto", Key="mp")["UploadId"]}
        bodies = [os.urandom(5 << 20), os.urandom(5 << 20), b"tail"]
        parts = [{"PartNumber": i, "ETag": s3.upload_part(PartNumber=i, Body=body, **up)["ETag"]}
                 for i, body in enumerate(bodies, 1)]
        same([row["Size"] for row in s3.list_parts(**up)["Parts"]], [5 << 20, 5 << 20, 4])
        same([row["Key"] for row in s3.list_multipart_uploads(Bucket="boto")["Uploads"]], ["mp"])
        same(code_of(s3.head_object, Bucket="boto", Key="mp")[0], 404)
        tag = s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **up)["ETag"].strip('"')
        digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
        same(tag, f"{digest}-3", "ETag")
        same(s3.get_object(Bucket="boto", Key="mp")["Body"].read(), b"".join(bodies))
        s3.copy_object(Bucket="boto", Key="mp2", CopySource={"Bucket": "boto", "Key": "mp"})
        same(s3.head_object(Bucket="boto", Key="mp2")["ContentLength"], (10 << 20) + 4)

    with check(f"{name}: upload_part_copy, too small a part, abort"):
        up = {"Bucket": "boto", "Key": "pc", "UploadId": s3.create_multipart_upload(Bucket="boto", Key="pc")["UploadId"]}
        copied = s3.upload_part_copy(PartNumber=1, CopySource={"Bucket": "boto", "Key": "mp"},
                                     CopySourceRange="bytes=1-5242880", **up)["CopyPartResult"]["ETag"]
        small = [{"PartNumber": i, "ETag": s3.upload_part(PartNumber=i, Body=b"s", **up)["ETag"]} for i in (2, 3)]
        parts = [{"PartNumber": 1, "ETag": copied}]
        same(code_of(s3.complete_multipart_upload, MultipartUpload={"Parts": parts + small}, **up),
             (400, "EntityTooSmall"))
        s3.abort_multipart_upload(**up)
        same(code_of(s3.list_parts, **up), (404, "NoSuchUpload"))


def versions(s3, name):
    with check(f"{name}: versions, markers, restore"):
        s3.create_bucket(Bucket="boto-v")
        s3.put_object(Bucket="boto-v", Key="v", Body=b"0")
        s3.put_bucket_versioning(Bucket="boto-v", VersioningConfiguration={"Status": "Enabled"})
        ids = [s3.put_object(Bucket="boto-v", Key="v", Body=body)["VersionId"] for body in (b"1", b"2")]
        marker = s3.delete_object(Bucket="boto-v", Key="v")
        same(marker["DeleteMarker"], True)
        same(code_of(s3.get_object, Bucket="boto-v", Key="v"), (404, "NoSuchKey"))
        same(s3.get_object(Bucket="boto-v", Key="v", VersionId=ids[0])["Body"].read(), b"1")
        same(s3.get_object(Bucket="boto-v", Key="v", VersionId="null")["Body"].read(), b"0")
        rows = s3.list_object_versions(Bucket="boto-v")
        same([row["VersionId"] for row in rows["Versions"]], [ids[1], ids[0], "null"])
        s3.delete_object(Bucket="boto-v", Key="v", VersionId=marker["VersionId"])
        same(s3.get_object(Bucket="boto-v", Key="v")["Body"].read(), b"2")
        for row in rows["Versions"]:
            s3.delete_object(Bucket="boto-v", Key="v", VersionId=row["VersionId"])
        s3.delete_bucket(Bucket="boto-v")


def presigned(s3, name, ca):
    with check(f"{name}: presigned PUT and GET"):
        put = s3.generate_presigned_url("put_object", Params={"Bucket": "boto", "Key": "pre"}, ExpiresIn=60)
        same(requests.put(put, data=b"signed", verify=ca).status_code, 200)
        get = s3.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": "pre"}, ExpiresIn=60)
        same(requests.get(get, verify=ca).content, b"signed")
        same(requests.get(get + "0", verify=ca).status_code, 403)


def suite(tls):
    name = "boto3 https" if tls else "boto3 http"
    server = lib.Server("boto-tls" if tls else "boto", tls=tls)
    s3 = server.s3()
    with check(f"{name}: buckets"):
        s3.create_bucket(Bucket="boto")
        s3.head_bucket(Bucket="boto")
        assert "boto" in [row["Name"] for row in s3.list_buckets()["Buckets"]]
        same(s3.get_bucket_location(Bucket="boto").get("LocationConstraint"), None)
        same(code_of(s3.head_bucket, Bucket="nobody-has-this")[0], 404)
        same(code_of(s3.list_objects_v2, Bucket="nobody-has-this"), (404, "NoSuchBucket"))
    objects(s3, name)
    listings(s3, name)
    multipart(s3, name)
    versions(s3, name)
    presigned(s3, name, str(server.ca) if server.ca else True)
    with check(f"{name}: what no account may do"):
        same(code_of(server.s3(aws_secret_access_key="wrong").list_buckets), (403, "SignatureDoesNotMatch"))
        same(code_of(server.s3(aws_access_key_id="NOSUCHKEY00000000000").list_buckets), (403, "InvalidAccessKeyId"))
        same(code_of(s3.delete_bucket, Bucket="boto"), (409, "BucketNotEmpty"))
    with check(f"{name}: the server ends without a panic"):
        server.stop()


suite(tls=False)
suite(tls=True)
lib.finish()
