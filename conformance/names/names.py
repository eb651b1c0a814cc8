"""Keys and names at the edges, written through one door and looked at through the other."""

import re
import unicodedata
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import lib
from lib import check, code_of, same

server = lib.Server("names")
s3 = server.s3()
s3.create_bucket(Bucket="names")


def put(key, body=None):
    s3.put_object(Bucket="names", Key=key, Body=(body or key).encode())


def get(key):
    return s3.get_object(Bucket="names", Key=key)["Body"].read().decode()


def members(path):
    """The names below a folder as WebDAV shows them, folders with a slash; and that each is shown once."""
    answer = server.dav("PROPFIND", quote(f"/names/{path}"), headers={"Depth": "1"})
    same(answer.status_code, 207, f"PROPFIND {path}")
    found = []
    for response in ElementTree.fromstring(answer.content).findall("{DAV:}response"):
        href = unquote(re.sub("^https?://[^/]*", "", response.findtext("{DAV:}href")))
        folder = response.find(".//{DAV:}collection") is not None
        name = href.removeprefix(f"/dav/names/{path}")
        if name.strip("/"):
            found.append(name.rstrip("/") + ("/" if folder else ""))
    same(len(found), len(set(found)), "members shown twice")
    return sorted(found)


ODD = ["odd/a//b", "odd//", "/odd-leading", "odd/../up", "odd/./here", "..", ".", "odd/dir/", "odd/ends /x",
       "odd/\x01control", "odd/plain"]
with check("keys are literal: //, leading /, .., ., trailing / and control characters"):
    for key in ODD:
        put(key)
    for key in ODD:
        same(get(key), key)
    found = [unquote(row["Key"]) for row in s3.list_objects_v2(Bucket="names", EncodingType="url")["Contents"]]
    same(found, sorted(ODD, key=lambda key: key.encode()))

with check("WebDAV shows what a tree can hold, and climbs nowhere"):
    same(members("odd/"), sorted(["a/", "dir/", "ends /", "plain"]))
    for path in ["/names/odd/../../admin/", "/names/%2e%2e/admin/", "/names/odd/%2e%2e/up", "/../names/odd/plain"]:
        status = server.dav("GET", path).status_code
        assert status in (400, 403, 404), f"{path} gave {status}"

with check("WebDAV DELETE of a folder with hidden keys alone is refused, and keeps them"):
    put("hidden/x//y")
    status = server.dav("DELETE", "/names/hidden/x/").status_code
    same((status, get("hidden/x//y")), (409, "hidden/x//y"))

with check("a file beside a folder of the same name"):
    put("twin/a", "file")
    put("twin/a/b", "below")
    same((get("twin/a"), get("twin/a/b")), ("file", "below"))
    same(members("twin/"), ["a/"])
    same(server.dav("GET", "/names/twin/a/b").text, "below")
    found = server.holdall("doctor", good=False).stdout
    assert "names/twin/a:" in found, found
    s3.delete_object(Bucket="names", Key="twin/a/b")
    same((members("twin/"), server.dav("GET", "/names/twin/a").text), (["a"], "file"))

with check("a key has 1,024 bytes at most"):
    for key in ["k" * 1024, "/".join(["seg" * 5] * 64), "ü" * 512]:
        put(key)
        same(get(key), key)
    same(code_of(put, "k" * 1025), (400, "KeyTooLongError"))
    same(code_of(put, "ü" * 512 + "k"), (400, "KeyTooLongError"))
    status = server.dav("PUT", "/names/" + "d" * 300, data=b"x").status_code
    same(status, 414, "a WebDAV segment over 255 bytes")

with check("NFC and NFD names are two keys, and WebDAV finds either"):
    nfc, nfd = unicodedata.normalize("NFC", "uni/Åé"), unicodedata.normalize("NFD", "uni/Åé")
    put(nfc, "composed")
    put(nfd, "decomposed")
    same((get(nfc), get(nfd)), ("composed", "decomposed"))
    same(server.dav("GET", quote(f"/names/{nfc}")).text, "composed")
    same(server.dav("GET", quote(f"/names/{nfd}")).text, "decomposed")
    same(len(members("uni/")), 2)

with check("a name in one Unicode form is found by WebDAV in the other"):
    put(unicodedata.normalize("NFD", "uni2/Über"), "only")
    same(server.dav("GET", quote(unicodedata.normalize("NFC", "/names/uni2/Über"))).text, "only")
    put(unicodedata.normalize("NFC", "uni3/Über"), "only")
    same(server.dav("GET", quote(unicodedata.normalize("NFD", "/names/uni3/Über"))).text, "only")
    same(code_of(get, unicodedata.normalize("NFD", "uni3/Über")), (404, "NoSuchKey"))

WINDOWS = ["CON", "aux.txt", "nul", "a:b", "a*b", "a?b", 'a"b', "a<b>", "a|b", "a\\b", "ends.", "ends ", " starts",
           "a%2Fb", "a+b", "a&b", "a;b", "a#b", "Case", "case", "😀", "​zero", "back`tick", "'quote'", "~", "$x"]
with check("names Windows dislikes, through WebDAV to S3"):
    server.dav("MKCOL", "/names/win/").raise_for_status()
    for name in WINDOWS:
        answer = server.dav("PUT", f"/names/win/{quote(name, safe='')}", data=name.encode())
        same(answer.status_code, 201, f"PUT {name!r}")
    for name in WINDOWS:
        same(get(f"win/{name}"), name)
    same(members("win/"), sorted(WINDOWS))

with check("names Windows dislikes, through S3 to WebDAV, moved and copied"):
    for name in WINDOWS:
        put(f"win2/{name}", name)
        same(server.dav("GET", f"/names/win2/{quote(name, safe='')}").content.decode(), name)
    answer = server.dav("MOVE", "/names/win2/", headers={"Destination": f"{server.url}/dav/names/win3/"})
    same(answer.status_code, 201)
    same(members("win3/"), sorted(WINDOWS))
    answer = server.dav("COPY", "/names/win3/", headers={"Destination": f"{server.url}/dav/names/win4/"})
    same(answer.status_code, 201)
    same([get(f"win4/{name}") for name in WINDOWS], WINDOWS)

with check("reserved first segments are neither buckets nor reachable as such"):
    for name in ["dav", "api", "apidocs", "login", "robots.txt"]:
        status, _ = code_of(s3.create_bucket, Bucket=name)
        assert status >= 400, f"{name} became a bucket"

with check("holdall check is clean with hard names"):
    server.stop()
    server.holdall("check")
lib.finish()
