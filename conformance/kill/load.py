"""64 clients through S3, WebDAV and JSON, each with files or buckets of its own, so that it knows what
must be there: what it was answered, and beside it what the one request without an answer would make of it."""

import contextlib
import hashlib
import http.client
import json
import random
import socket
import threading
import urllib.parse

import lib

COUNTS = (30, 26, 8)  # clients of S3, WebDAV and JSON
MOST = 60  # files of one client


class Local(http.client.HTTPConnection):
    """HTTP over the administration socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Gone(Exception):
    """The server ended before it answered."""


class Client:
    """One of them; `held` is what it was told is there, `next` what there is if its last request was done."""

    def __init__(self, server, name, seed):
        self.server, self.name, self.rng = server, name, random.Random(seed)
        self.held, self.next, self.count, self.wrong, self.answered = {}, None, 0, [], 0

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        with contextlib.suppress(OSError):
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def run(self, stop):
        self.connection = self.connect()
        try:
            while not stop.is_set():
                self.one()
        except Gone:
            pass
        except Exception as error:  # what one client meets must not be lost in its thread
            self.wrong.append(f"{self.name}: {type(error).__name__} {error}")
        self.connection.close()

    def ask(self, method, target, body=None, headers=None, good=(200, 201, 204)):
        """One request to its answer."""
        try:
            self.connection.request(method, target, body, headers or {})
            answer = self.connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone from error
        if answer.status not in good:
            raise AssertionError(f"{answer.status} to {method} {target.split('?')[0]}: {data[:200]}")
        return data

    def change(self, after, *request, **more):
        """A request that makes of what is held something else."""
        self.next = after
        data = self.ask(*request, **more)
        self.held, self.next, self.answered = after, None, self.answered + 1
        return data

    def settle(self, found):
        """What the next server shows is the one or the other; why not, if it is neither."""
        if found != self.held and found != self.next:
            missing = sorted(key for key in self.held if key not in found or found[key] != self.held[key])[:3]
            more = sorted(key for key in found if found[key] != self.held.get(key))[:3]
            cut = "no request was cut off" if self.next is None else f"{self.next.items() ^ self.held.items()} may differ"
            return f"{self.name}: missing or other {missing}, not told of {more}; {cut}"[:900]
        self.held, self.next = found, None
        return None


class Files(Client):
    """What both doors to files have in common."""

    def body(self):
        self.count += 1
        size = 300_000 if self.rng.random() < 0.02 else int(self.rng.lognormvariate(7, 1.2))
        return f"{self.name} {self.count} {self.rng.random()} ".encode() + self.rng.randbytes(min(size, 60_000) if size < 300_000 else size)

    def without(self, *keys):
        return {key: tag for key, tag in self.held.items() if key not in keys}

    def with_dav(self, method, key, body=None, **headers):
        named = {"Authorization": self.server.basic} | {name.capitalize(): value for name, value in headers.items()}
        return (method, f"/dav/admin/{urllib.parse.quote(key)}", body, named)

    def look(self, key):
        """Reads a file through one of the doors and holds the bytes against what was acknowledged."""
        if self.rng.random() < 0.5:
            data = self.ask(*self.with_dav("GET", key))
        else:
            data = self.ask("GET", self.server.signer.path("GET", f"/admin/{key}"))
        tag = self.held[key]
        got = hashlib.md5(data).hexdigest()
        got = hashlib.md5(bytes.fromhex(got)).hexdigest() + "-1" if "-" in tag else got
        lib.same(got, tag, f"content of {key}")

    def any(self):
        return self.rng.choice(sorted(self.held))


class ByKey(Files):
    """PUT, overwrite, DELETE, uploads in parts."""

    def one(self):
        kind, path = self.rng.random(), self.server.signer.path
        if self.held and kind < 0.2:
            self.look(self.any())
        elif self.held and (kind < 0.35 or len(self.held) > MOST):
            key = self.any()
            self.change(self.without(key), "DELETE", path("DELETE", f"/admin/{key}"))
        elif kind < 0.45:
            self.upload(f"{self.name}/{self.rng.randrange(2 * MOST)}")
        else:
            key, body = f"{self.name}/{self.rng.randrange(2 * MOST)}", self.body()
            after = self.held | {key: hashlib.md5(body).hexdigest()}
            self.change(after, "PUT", path("PUT", f"/admin/{key}"), body)

    def upload(self, key):
        path, body = self.server.signer.path, self.body()
        begun = self.ask("POST", path("POST", f"/admin/{key}", {"uploads": ""})).decode()
        named = {"uploadId": begun.split("<UploadId>")[1].split("<")[0]}
        self.ask("PUT", path("PUT", f"/admin/{key}", {"partNumber": "1"} | named), body)
        md5 = hashlib.md5(body)
        after = self.held | {key: hashlib.md5(md5.digest()).hexdigest() + "-1"}
        document = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{md5.hexdigest()}</ETag></Part></CompleteMultipartUpload>"
        self.change(after, "POST", path("POST", f"/admin/{key}", named), document)


class ByPath(Files):
    """PUT, DELETE, COPY and MOVE of files, MOVE and DELETE of folders."""

    def one(self):
        kind = self.rng.random()
        folders = sorted({key.rsplit("/", 1)[0] for key in self.held})
        if self.held and kind < 0.2:
            self.look(self.any())
        elif self.held and kind < 0.3:
            key = self.any()
            self.change(self.without(key), *self.with_dav("DELETE", key))
        elif self.held and kind < 0.5:
            key, method = self.any(), self.rng.choice(["COPY", "MOVE"])
            to = f"{key.rsplit('/', 1)[0]}/{self.fresh()}"
            kept = self.without(key) if method == "MOVE" else self.held
            self.change(kept | {to: self.held[key]}, *self.with_dav(method, key, destination=f"/dav/admin/{to}"))
        elif folders and kind < 0.6:
            folder, to = self.rng.choice(folders), f"{self.name}-{self.fresh()}"
            moved = {key.replace(folder, to, 1) if key.startswith(f"{folder}/") else key: tag for key, tag in self.held.items()}
            self.change(moved, *self.with_dav("MOVE", folder, destination=f"/dav/admin/{to}"))
        elif folders and (kind < 0.63 or len(self.held) > MOST):
            folder = self.rng.choice(folders)
            inside = [key for key in self.held if key.startswith(f"{folder}/")]
            self.change(self.without(*inside), *self.with_dav("DELETE", folder))
        else:
            folder = self.rng.choice(folders) if len(folders) > 3 else f"{self.name}-{self.fresh()}"
            if folder not in folders:
                self.ask(*self.with_dav("MKCOL", folder))
            body = self.body()
            key = f"{folder}/{self.fresh()}"
            self.change(self.held | {key: hashlib.md5(body).hexdigest()}, *self.with_dav("PUT", key, body))

    def fresh(self):
        self.count += 1
        return f"{self.count}"


class ByJson(Client):
    """Buckets made, limited and removed; what is held is the quota of each."""

    def connect(self):
        return Local(self.server.data / "admin.sock")

    def send(self, after, method, address, value=None):
        body = None if value is None else json.dumps(value)
        self.change(after, method, f"/api/v1/{address}", body, {"Content-Type": "application/json"})

    def one(self):
        kind = self.rng.random()
        if self.held and (kind < 0.3 or len(self.held) > 20):
            name = self.rng.choice(sorted(self.held))
            self.send({other: quota for other, quota in self.held.items() if other != name}, "DELETE", f"buckets/{name}")
        elif self.held and kind < 0.6:
            name, quota = self.rng.choice(sorted(self.held)), self.rng.randrange(1 << 40)
            self.send(self.held | {name: quota}, "PATCH", f"buckets/{name}", {"quota": quota})
        else:
            self.count += 1
            name = f"{self.name}-{self.count}"
            self.send(self.held | {name: None}, "POST", "buckets", {"name": name, "owner": lib.USER})


class Load:
    """All of them."""

    def __init__(self, server, seed, counts=COUNTS):
        self.server = server
        kinds = zip((ByKey, ByPath, ByJson), "sdj", counts)
        self.clients = [kind(server, f"{letter}{n:02}", f"{seed}/{letter}{n}") for kind, letter, count in kinds for n in range(count)]

    def start(self):
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=client.run, args=(self.stop,)) for client in self.clients]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def answered(self):
        return sum(client.answered for client in self.clients)

    def verify(self):
        """What the server shows now is what each was told."""
        found = {client.name: {} for client in self.clients}
        for key, (_, tag) in lib.keys_of(self.server.s3(), "admin").items():
            if not key.endswith("/"):
                found[key.split("/")[0].split("-")[0]][key] = tag
        # Of a JSON client it is buckets, in pages.
        after = ""
        while after is not None:
            local = Local(self.server.data / "admin.sock")
            local.request("GET", f"/api/v1/buckets?{urllib.parse.urlencode({'after': after} if after else {})}")
            page = json.loads(local.getresponse().read())
            local.close()
            for bucket in page["buckets"]:
                name = bucket["name"].split("-")[0]
                if name in found and "-" in bucket["name"]:
                    found[name][bucket["name"]] = bucket["quota"]
            after = page.get("next")
        wrong = [client.settle(found[client.name]) for client in self.clients] + [text for client in self.clients for text in client.wrong]
        wrong = [text for text in wrong if text]
        assert not wrong, f"{len(wrong)} of {len(self.clients)} clients: {wrong[:3]}"

    def read(self):
        """Every file of every client, byte for byte."""
        for client in self.clients:
            if isinstance(client, Files):
                client.connection = client.connect()
                for key in client.held:
                    client.look(key)
