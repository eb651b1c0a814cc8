"""Requests that are wrong in one way each."""

import base64
import contextlib
import datetime
import hashlib
import http.client
import itertools
import socket

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import requests

import lib
from lib import check, same

server = lib.Server("badinput")
s3 = server.s3()
s3.create_bucket(Bucket="bad")
s3.put_object(Bucket="bad", Key="folder/kept", Body=b"kept")
KEPT = lib.keys_of(s3, "bad")
EMPTY = hashlib.sha256(b"").hexdigest()


def signed(method, path, body=b"", region=lib.REGION, at=None, headers=None, access=lib.ACCESS, secret=lib.SECRET,
           late=None):
    """A signed request, sent; `late` headers are added behind the signature."""
    headers = {"x-amz-content-sha256": hashlib.sha256(body).hexdigest()} | (headers or {})
    request = botocore.awsrequest.AWSRequest(method, server.url + path, data=body, headers=headers)
    auth = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(access, secret), "s3", region)
    # What is declared, whatever the body is.
    auth.payload = lambda request: headers["x-amz-content-sha256"]
    real = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *_, **__: at or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    try:
        auth.add_auth(request)
    finally:
        botocore.auth.get_current_datetime = real
    return requests.request(method, server.url + path, data=body, headers=dict(request.headers) | (late or {}), timeout=60)


def refused(name, status, code, answer):
    """One refusal with its S3 code; afterwards everything is as it was."""
    with check(f"S3: {name}"):
        got = answer()
        said = got.text.split("<Code>")[1].split("</Code>")[0] if "<Code>" in got.text else got.text[:200]
        same((got.status_code, said), (status, code))
        same(lib.keys_of(s3, "bad"), KEPT)


def shift(**by):
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(**by)


wrong_md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
refused("a wrong secret", 403, "SignatureDoesNotMatch", lambda: signed("PUT", "/bad/x", b"x", secret="wrong"))
refused("an unknown key", 403, "InvalidAccessKeyId", lambda: signed("PUT", "/bad/x", b"x", access="NOKEY00000000000000"))
refused("another region", 400, "AuthorizationHeaderMalformed", lambda: signed("PUT", "/bad/x", b"x", region="eu-west-9"))
refused("a stale date", 403, "RequestTimeTooSkewed", lambda: signed("PUT", "/bad/x", b"x", at=shift(minutes=-20)))
refused("a date ahead", 403, "RequestTimeTooSkewed", lambda: signed("PUT", "/bad/x", b"x", at=shift(minutes=20)))
refused("an x-amz header that is not signed", 403, "AccessDenied",
        lambda: signed("PUT", "/bad/x", b"x", late={"x-amz-meta-late": "1"}))
refused("an unknown sub-resource", 501, "NotImplemented", lambda: signed("PUT", "/bad/x?teleport", b"x"))
refused("a body with another SHA-256", 400, "XAmzContentSHA256Mismatch",
        lambda: signed("PUT", "/bad/x", b"x", headers={"x-amz-content-sha256": EMPTY}))
refused("a wrong Content-MD5", 400, "BadDigest", lambda: signed("PUT", "/bad/x", b"x", headers={"Content-MD5": wrong_md5}))
refused("a broken Content-MD5", 400, "InvalidDigest", lambda: signed("PUT", "/bad/x", b"x", headers={"Content-MD5": "?"}))
refused("a wrong checksum", 400, "BadDigest",
        lambda: signed("PUT", "/bad/x", b"x", headers={"x-amz-checksum-crc32": "AAAAAA=="}))


def posted(body):
    """A DeleteObjects with this body and its right MD5."""
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    return signed("POST", "/bad?delete", body, headers={"Content-MD5": digest})


refused("malformed XML", 400, "MalformedXML", lambda: posted(b"<Delete><Object>"))
refused("20,000 nested elements", 400, "MalformedXML", lambda: posted(b"<Delete>" + b"<a>" * 20_000))
bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
refused("an entity bomb", 400, "MalformedXML", lambda: posted(bomb))
refused("a key of 1,025 bytes", 400, "KeyTooLongError", lambda: signed("PUT", f"/bad/{'k' * 1025}", b"x"))
refused("a bucket name that is none", 400, "InvalidBucketName", lambda: signed("PUT", "/Bad_Name"))
refused("anonymous", 403, "AccessDenied", lambda: requests.put(f"{server.url}/bad/x", data=b"x", timeout=30))


def cut_off(path, headers, body):
    """A request whose connection ends before its body does."""
    with socket.create_connection(("127.0.0.1", server.port)) as stream:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        stream.sendall(f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode() + body)


basic = "Basic " + base64.b64encode(f"{lib.USER}:{lib.PASSWORD}".encode()).decode()


def dav(name, statuses, act):
    """One WebDAV refusal; afterwards everything is as it was."""
    with check(f"WebDAV: {name}"):
        status = act()
        assert statuses is None or status in statuses, f"gave {status}"
        lib.time.sleep(0.2 if statuses is None else 0)
        same(lib.keys_of(s3, "bad"), KEPT)


def ask(method, path, **more):
    return server.dav(method, path, **more).status_code


def move(source, target, method="MOVE", **headers):
    return ask(method, source, headers={"Destination": f"{server.url}/dav{target}"} | headers)


dav("a wrong password", [401], lambda: ask("PUT", "/bad/x", data=b"x", auth=(lib.USER, "wrong")))
dav("an upload cut off", None, lambda: cut_off("/dav/bad/x", {"Authorization": basic, "Content-Length": 100}, b"part"))
dav("a chunked upload cut off", None,
    lambda: cut_off("/dav/bad/x", {"Authorization": basic, "Transfer-Encoding": "chunked"}, b"4\r\npart\r\n"))
dav("shorter than X-Expected-Entity-Length", [400],
    lambda: ask("PUT", "/bad/x", data=iter([b"part"]), headers={"X-Expected-Entity-Length": "10"}))
dav("longer than X-Expected-Entity-Length", [400],
    lambda: ask("PUT", "/bad/x", data=iter([b"much too long"]), headers={"X-Expected-Entity-Length": "4"}))
dav("malformed XML", [400], lambda: ask("PROPFIND", "/bad/", data=b"<propfind", headers={"Depth": "0"}))
dav("20,000 nested elements", [400, 413],
    lambda: ask("PROPFIND", "/bad/", data=b"<a>" * 20_000 + b"</a>" * 20_000, headers={"Depth": "0"}))
dav("an entity bomb", [400], lambda: ask("PROPFIND", "/bad/", data=bomb, headers={"Depth": "0"}))
dav("MOVE onto itself", [403], lambda: move("/bad/folder/kept", "/bad/folder/kept"))
dav("MOVE of a folder below itself", [403, 409], lambda: move("/bad/folder/", "/bad/folder/x/"))
dav("MOVE onto an ancestor", [403, 409], lambda: move("/bad/folder/kept", "/bad/folder"))
dav("COPY of a folder below itself", [403, 409], lambda: move("/bad/folder/", "/bad/folder/x/", method="COPY"))
dav("MOVE to what is not WebDAV", [400, 403, 502],
    lambda: ask("MOVE", "/bad/folder/kept", headers={"Destination": f"{server.url}/elsewhere/bad/x"}))
dav("MOVE of a bucket", [403], lambda: move("/bad/", "/worse/"))
dav("PUT with Content-Range", [400, 501],
    lambda: ask("PUT", "/bad/folder/kept", data=b"x", headers={"Content-Range": "bytes 0-0/4"}))
dav("a name with a control character", [400], lambda: ask("PUT", "/bad/a%01b", data=b"x"))

with check("a broken request line is refused"):
    with socket.create_connection(("127.0.0.1", server.port)) as stream:
        stream.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        stream.settimeout(10)
        assert b"200" not in stream.recv(200)

def begun(method, path, declared, sent, headers):
    """A request whose connection is closed before its body is whole."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest(method, path)
    for name, value in {**headers, "Content-Length": str(declared)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    # What is refused at once may be closed before all of it was sent.
    with contextlib.suppress(ConnectionError):
        connection.send(sent)
    connection.close()


def unsigned_payload(method, path, **more):
    """Headers of a signed request whose body is not; `more` stands for what is signed with them."""
    request = botocore.awsrequest.AWSRequest(method, server.url + path, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"} | more)
    auth = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(lib.ACCESS, lib.SECRET), "s3", lib.REGION)
    auth.payload = lambda request: "UNSIGNED-PAYLOAD"
    auth.add_auth(request)
    return dict(request.headers)


def flat(name, rounds, act, most=48):
    """Something wrong, again and again: after some rounds to warm up memory grows no more, and nothing changed."""
    with check(f"memory stays flat: {name}"):
        for _ in range(rounds // 4):
            act()
        lib.time.sleep(0.5)
        before = server.memory()
        for _ in range(rounds):
            act()
        lib.time.sleep(0.5)
        grown = (server.memory() - before) >> 20
        assert grown < most, f"{grown} MiB more after {rounds} rounds"
        same(lib.keys_of(s3, "bad"), KEPT)


large = b"z" * (16 << 20)
upload = s3.create_multipart_upload(Bucket="bad", Key="parts")["UploadId"]
forged = unsigned_payload("PUT", "/bad/x")
forged["Authorization"] = forged["Authorization"][:-4] + "0000"
flat("uploads to S3 that break off", 40, lambda: begun("PUT", "/bad/x", 1 << 30, large[: 2 << 20], unsigned_payload("PUT", "/bad/x")))
flat("parts that break off", 40, lambda: begun(
    "PUT", f"/bad/parts?partNumber=1&uploadId={upload}", 1 << 30, large[: 2 << 20],
    unsigned_payload("PUT", f"/bad/parts?partNumber=1&uploadId={upload}")))
flat("uploads to WebDAV that break off", 40, lambda: begun("PUT", "/dav/bad/x", 1 << 30, large[: 2 << 20], {"Authorization": basic}))
flat("large bodies with a wrong signature", 20, lambda: begun("PUT", "/bad/x", len(large), large, forged))
flat("large bodies with a wrong checksum", 20, lambda: same(
    requests.put(f"{server.url}/bad/x", data=large, timeout=60,
                 headers=unsigned_payload("PUT", "/bad/x", **{"x-amz-checksum-crc32": "AAAAAA=="})).status_code, 400))
flat("large bodies with a wrong digest, through WebDAV", 20, lambda: same(
    ask("PUT", "/bad/x", data=large, headers={"OC-Checksum": "MD5:" + "0" * 32}), 400))
names = itertools.count()
flat("large bodies with wrong passwords, through WebDAV", 40, lambda: begun(
    "PUT", "/dav/bad/x", len(large), large,
    {"Authorization": "Basic " + base64.b64encode(f"nobody{next(names)}:wrong".encode()).decode()}))
deep, wide = b"<Delete>" + b"<a>" * (2 << 20), b"<Delete>" + b"<Object/>" * (800 << 10)
for name, text in [("nested", deep), ("long", wide), ("bomb", bomb + b" " * (6 << 20))]:
    flat(f"{name} documents of many MiB", 8, lambda: same(posted(text).status_code, 400))
    flat(f"{name} documents, through WebDAV", 20, lambda: same(
        ask("PROPFIND", "/bad/", data=text[: 1 << 20], headers={"Depth": "0"}), 400))
s3.abort_multipart_upload(Bucket="bad", Key="parts", UploadId=upload)

with check("memory stays below its budget while many large documents come slowly"):
    headers = unsigned_payload("PUT", "/bad?versioning")
    before, slow = server.memory(), []
    for _ in range(60):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.putrequest("PUT", "/bad?versioning")
        for name, value in {**headers, "Content-Length": str(8 << 20)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.sock.setblocking(False)
        slow.append([connection, 7 << 20])
    end, highest = lib.time.monotonic() + 8, 0
    while lib.time.monotonic() < end:
        for pair in slow:
            # What is not taken now is sent later, or never.
            with contextlib.suppress(BlockingIOError):
                pair[1] -= pair[0].sock.send(b" " * min(pair[1], 256 << 10))
        highest = max(highest, server.memory())
    s3.put_object(Bucket="bad", Key="beside", Body=b"b" * (3 << 20))
    s3.delete_object(Bucket="bad", Key="beside")
    grown = (highest - before) >> 20
    assert grown < 128 + 32, f"{grown} MiB more"
    held = sum(left == 0 for _, left in slow)
    assert 0 < held < len(slow) / 2, f"{held} of {len(slow)} documents were taken in"
    refused = 0
    for connection, left in slow:
        if left:
            # Some may get the share of one that was given up, and wait for the rest of their bytes.
            connection.sock.settimeout(5)
            with contextlib.suppress(TimeoutError):
                answer = connection.sock.recv(4096)
                refused += b" 503 " in answer and b"retry-after" in answer.lower()
        connection.close()
    assert refused > len(slow) / 2, f"{refused} documents were sent away with Retry-After"
    print(f"{grown} MiB more with {held} of {len(slow)} documents held")

with check("the server ends without a panic (bad input), and holdall check is clean"):
    server.stop()
    server.holdall("check")
lib.finish()
