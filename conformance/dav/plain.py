"""WebDAV by hand with curl, and with cadaver."""

import os

import lib
from lib import check, same

server = lib.Server("dav")
here = server.home
AUTH = f"{lib.USER}:{lib.PASSWORD}"
(here / "one.txt").write_text("one\n")


def curl(*words, path="/admin/"):
    """The status of a request."""
    done = lib.run("curl", "-s", "-o", here / "answer", "-D", here / "head", "-w", "%{http_code}", "-u", AUTH,
                   *words, f"{server.url}/dav{path}")
    return int(done.stdout)


def header(name):
    for line in (here / "head").read_text().splitlines():
        if line.lower().startswith(f"{name.lower()}:"):
            return line.split(":", 1)[1].strip()
    return None


with check("curl: OPTIONS tells what is there"):
    same(curl("-X", "OPTIONS"), 200)
    assert "1" in header("DAV") and "PROPFIND" in header("Allow"), (here / "head").read_text()

with check("curl: PUT, GET, HEAD, the same ETag everywhere"):
    same(curl("-T", here / "one.txt", path="/admin/one%20%C3%BC.txt"), 201)
    tag = header("ETag")
    same(curl(path="/admin/one%20%C3%BC.txt"), 200)
    same(((here / "answer").read_text(), header("ETag")), ("one\n", tag))
    same(curl("-I", path="/admin/one%20%C3%BC.txt"), 200)
    same(header("ETag"), tag)
    same(server.s3().head_object(Bucket="admin", Key="one ü.txt")["ETag"], tag)
    same(curl("-X", "PROPFIND", "-H", "Depth: 0", path="/admin/one%20%C3%BC.txt"), 207)
    assert tag.strip('"') in (here / "answer").read_text()

with check("curl: ranges"):
    same(curl("-r", "1-2", path="/admin/one%20%C3%BC.txt"), 206)
    same((here / "answer").read_text(), "ne")

with check("curl: conditions"):
    same(curl("-T", here / "one.txt", "-H", "If-None-Match: *", path="/admin/one%20%C3%BC.txt"), 412)
    same(curl("-T", here / "one.txt", "-H", f"If-Match: {tag}", path="/admin/one%20%C3%BC.txt"), 204)
    same(curl("-T", here / "one.txt", "-H", 'If-Match: "00"', path="/admin/one%20%C3%BC.txt"), 412)

with check("curl: MKCOL, PROPFIND Depth 1"):
    same(curl("-X", "MKCOL", path="/admin/folder/"), 201)
    same(curl("-X", "MKCOL", path="/admin/folder/"), 405)
    same(curl("-X", "MKCOL", path="/admin/no/folder/"), 409)
    same(curl("-T", here / "one.txt", path="/admin/folder/a.txt"), 201)
    same(curl("-T", here / "one.txt", path="/admin/nowhere/a.txt"), 409)
    same(curl("-X", "PROPFIND", "-H", "Depth: 1", path="/admin/folder/"), 207)
    same((here / "answer").read_text().count("</D:response>"), 2)

with check("curl: COPY and MOVE, with and without Overwrite"):
    there = f"{server.url}/dav/admin/copy.txt"
    same(curl("-X", "COPY", "-H", f"Destination: {there}", path="/admin/folder/a.txt"), 201)
    same(curl("-X", "COPY", "-H", f"Destination: {there}", "-H", "Overwrite: F", path="/admin/folder/a.txt"), 412)
    same(curl("-X", "MOVE", "-H", f"Destination: {there}", path="/admin/folder/a.txt"), 204)
    same(curl(path="/admin/folder/a.txt"), 404)
    same(curl("-X", "MOVE", "-H", f"Destination: {server.url}/dav/admin/renamed/", path="/admin/folder/"), 201)

with check("curl: a folder into itself or onto its parent is refused, and stays"):
    curl("-X", "MKCOL", path="/admin/renamed/in/")
    before = sorted(server.rclone("lsf", "-R", "dav:admin").stdout.splitlines())
    for source, target in [("/admin/renamed/", "/admin/renamed/in/x/"), ("/admin/renamed/in/", "/admin/renamed/"),
                           ("/admin/renamed/", "/admin/renamed/")]:
        status = curl("-X", "MOVE", "-H", f"Destination: {server.url}/dav{target}", path=source)
        assert status in (403, 409), f"{source} to {target} gave {status}"
    same(sorted(server.rclone("lsf", "-R", "dav:admin").stdout.splitlines()), before)

with check("curl: DELETE"):
    same(curl("-X", "DELETE", path="/admin/renamed/"), 204)
    same(curl("-X", "DELETE", path="/admin/renamed/"), 404)

with check("curl: wrong and missing passwords"):
    same(server.dav("PROPFIND", "/admin/", auth=(lib.USER, "wrong")).status_code, 401)
    missing = lib.run("curl", "-s", "-o", os.devnull, "-w", "%{http_code}", f"{server.url}/dav/admin/")
    same(missing.stdout, "401")

with check("curl: an app password, for reading only"):
    made = lib.as_json(server.holdall("app-password", "add", "admin", "--scope", "read", "--json"))
    auth = (lib.USER, made["password"])
    same(server.dav("GET", "/admin/copy.txt", auth=auth).text, "one\n")
    same(server.dav("PUT", "/admin/copy.txt", auth=auth, data=b"two").status_code, 403)
    bearer = {"Authorization": f"Bearer {made['password']}"}
    same(server.dav("GET", "/admin/copy.txt", auth=None, headers=bearer).text, "one\n")


def cadaver(script):
    env = server.environment(HOME=here)
    return lib.run("cadaver", f"{server.url}/dav/admin/", env=env, stdin=script, timeout=60, cwd=here).stdout


with check("cadaver: put, get, mkcol, copy, move, ls, delete"):
    (here / ".netrc").write_text(f"machine 127.0.0.1\nlogin {lib.USER}\npassword {lib.PASSWORD}\n")
    (here / ".netrc").chmod(0o600)
    said = cadaver("put one.txt cad.txt\nmkcol cad\ncopy cad.txt cad/copy.txt\nmove cad.txt cad/moved.txt\n"
                   "get cad/moved.txt cad.back\nls cad\ndelete cad/copy.txt\nls cad\nquit\n")
    same((here / "cad.back").read_text(), "one\n")
    assert "failed" not in said.lower(), said
    same(sorted(lib.keys_of(server.s3(), "admin")), sorted(["cad/", "cad/moved.txt", "copy.txt", "one ü.txt"]))
    said = cadaver("rmcol cad\nquit\n")
    assert "failed" not in said.lower(), said

with check("cadaver: propset, propget, propnames, propdel"):
    said = cadaver("propset copy.txt shape round\npropset copy.txt colour blue\nmove copy.txt kept.txt\n"
                   "propget kept.txt shape\npropnames kept.txt\npropdel kept.txt colour\npropget kept.txt colour\nquit\n")
    assert "Value of shape is: round" in said, said
    assert "custom-properties/ colour" in said and "Value of colour" not in said, said

with check("the server ends without a panic (WebDAV)"):
    server.stop()
lib.finish()
