"""What the clients of `kill` must notice: a server that lost what it acknowledged, kept what nobody wrote or
damaged bytes. No rule can be broken in the release binary, so its data is altered behind its back."""

import contextlib
import shutil

import lib
from load import Gone, Load

CLIENTS = (6, 5, 3)


@contextlib.contextmanager
def told(server, what):
    """What is done inside must be told of by clients, not by a server that ends over it."""
    try:
        yield
    except (AssertionError, Gone) as error:
        assert server.process.poll() is None, f"the server ended: {server.tail()}"
        print(f"{what}: {str(error)[:160]}")
        return
    raise AssertionError(f"nobody noticed {what}")


def worked(server, load):
    """A second of load, and a kill -9 behind it."""
    before = load.answered()
    load.start()
    lib.time.sleep(1)
    server.kill()
    load.end()
    server.start()
    load.verify()
    assert load.answered() > before + len(load.clients), "there was hardly any load"
    server.kill()


def copy(data, to):
    """A data directory, but for its socket."""
    shutil.copytree(data, to, ignore=shutil.ignore_patterns("admin.sock"))


def replaced(server, data):
    """Another state of the data directory, as a disk that lied about its syncs would leave it."""
    shutil.rmtree(server.data)
    copy(data, server.data)
    server.start()


def show(server, word):
    """Does each, and puts it right again."""
    load, kept, older = Load(server, f"bites {word}", CLIENTS), server.home / "kept", server.home / "older"
    worked(server, load)
    copy(server.data, older)
    server.start()
    worked(server, load)
    copy(server.data, kept)

    replaced(server, older)
    with told(server, "a server that lost what it acknowledged"):
        load.verify()
    server.kill()

    replaced(server, kept)
    load.verify()
    load.read()
    by_key, by_path, by_json = [next(client for client in load.clients[at:] if client.held) for at in (0, CLIENTS[0], sum(CLIENTS[:2]))]
    for client, what, spoil in [
        (by_key, "one acknowledged file that is gone", lambda: server.s3().delete_object(Bucket="admin", Key=by_key.any())),
        (by_path, "one file that has other bytes", lambda: server.s3().put_object(Bucket="admin", Key=by_path.any(), Body=b"other")),
        (by_path, "one file that nobody wrote", lambda: server.s3().put_object(Bucket="admin", Key=f"{by_path.name}-half/x", Body=b"half")),
        (by_json, "one bucket that is gone", lambda: server.s3().delete_bucket(Bucket=sorted(by_json.held)[0])),
    ]:
        spoil()
        with told(server, f"{what} of {client.name}"):
            load.verify()
        server.kill()
        replaced(server, kept)
        load.verify()

    server.kill()
    for segment in (server.data / "segments").glob("*/*.seg"):
        with open(segment, "r+b") as file:
            file.truncate(segment.stat().st_size // 2)
    server.start()
    with told(server, "segments cut in half"):
        load.read()
    server.kill()
    replaced(server, kept)
    load.read()
    server.kill()
    shutil.rmtree(server.data)
    server.start()
