"""Speed and memory of the release binary beside peers. Prints a table; asserts nothing but that
every request was answered well."""

import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import time

import lib
from lib import check
from signed import Signer, fill, wrk, write_list

FILES = int(os.environ.get("BENCH_FILES", "1000000"))
GIB = 1 << 30
rows = []


def report(what, value, goal="", peer=""):
    rows.append((what, value, goal, peer))
    print(f"{what:44} {value:>16} {goal:>14} {peer}", flush=True)


def mb(rate):
    return f"{rate / 1e6:.0f} MB/s"


def timed(call, times=11):
    """Median milliseconds of a call."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def good(result):
    rate, tail, bad = result
    if bad:
        raise AssertionError(f"{bad} requests failed")
    return rate, tail


def nginx(folder):
    """nginx serving a folder; gives its address."""
    port = lib.free_port()
    (folder / "html").mkdir()
    (folder / "html" / "4k").write_bytes(os.urandom(4096))
    (folder / "nginx.conf").write_text(
        f"daemon off; user root; worker_processes 2; pid {folder}/pid; error_log /dev/null; events {{ worker_connections 512; }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;"
        f" uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 10000000;"
        f" server {{ listen 127.0.0.1:{port}; root {folder}/html; }} }}\n")
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    time.sleep(1)
    there = subprocess.run(["curl", "-sSf", f"http://127.0.0.1:{port}/4k"], capture_output=True, check=True).stdout
    lib.same(there, (folder / "html" / "4k").read_bytes(), "what nginx serves")
    return process, port


def nginx_get():
    folder = lib.scratch("nginx")
    process, port = nginx(folder)
    try:
        (folder / "GET-0").write_text("/4k\n")
        (folder / "GET-1").write_text("/4k\n")
        return good(wrk(f"http://127.0.0.1:{port}", "GET", folder / "GET-", seconds=5))[0]
    finally:
        process.terminate()
        process.wait()


def s3s_fs_put():
    """PUTs of 4 KiB a second of s3s-fs, which syncs nothing; None if it is not installed."""
    binary = shutil.which("s3s-fs")
    if not binary:
        return None
    folder, port = lib.scratch("s3s-fs"), lib.free_port()
    (folder / "root" / "bench").mkdir(parents=True)
    process = subprocess.Popen([binary, "--access-key", lib.ACCESS, "--secret-key", lib.SECRET, "--host", "127.0.0.1",
                                "--port", str(port), str(folder / "root")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        signer = Signer(f"127.0.0.1:{port}", lib.ACCESS, lib.SECRET, lib.REGION)
        lists = write_list(signer, "PUT", (f"/bench/{n}" for n in range(150_000)), folder)
        return good(wrk(f"http://127.0.0.1:{port}", "PUT", lists, seconds=8))[0]
    finally:
        process.terminate()
        process.wait()


def written(server):
    """Bytes the server had the disk write."""
    for line in pathlib.Path(f"/proc/{server.process.pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


def puts(server, signer, folder, name, seconds=10):
    """PUTs of 4 KiB a second, the slowest but 1 %, and KiB written to the disk for each."""
    lists = write_list(signer, "PUT", (f"/bench/{name}/{n}" for n in range(150_000)), folder)
    before = written(server)
    rate, tail = good(wrk(server.url, "PUT", lists, seconds=seconds))
    return rate, tail, (written(server) - before) / (rate * seconds) / 1024


def small(server, signer, folder, empty):
    peer = nginx_get()
    rate, tail, kib = puts(server, signer, folder, "put")
    beside = s3s_fs_put()
    report("PUT 4 KiB, 32 connections, durable", f"{rate:.0f}/s", ">= 3000/s",
           f"p99 {tail}; " + (f"{rate / beside:.2f} x s3s-fs without sync ({beside:.0f}/s)" if beside else "s3s-fs is not installed"))
    report("the same on the empty store", f"{empty[0]:.0f}/s", "",
           f"{rate / empty[0]:.2f} x at {FILES} files; written for each: {empty[2]:.0f} KiB empty, {kib:.0f} KiB there")
    # What the peer has not synced is not to be written while others are measured.
    os.sync()
    # The first requests of wrk's threads are asked for and not sent; the last were cut off with the filling.
    there = FILES - 1000
    keys = [f"/bench/fill/{n % there // 1000:04}/{n % there:07}" for n in range(7, 100_000 * 7, 7) if n % there > 1]
    lists = write_list(signer, "GET", keys, folder)
    rate, tail = good(wrk(server.url, "GET", lists))
    report("GET 4 KiB, 32 connections", f"{rate:.0f}/s", ">= 15000/s", f"p99 {tail}; {rate / peer:.2f} x nginx static ({peer:.0f}/s)")


def curl(*words):
    return float(subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", *map(str, words)], capture_output=True, text=True,
                                check=True).stdout)


def large(server, signer, folder):
    body = folder / "body"
    with open(body, "wb") as file:
        for _ in range(GIB >> 20):
            file.write(os.urandom(1 << 20))
    ups, downs = [], []
    for n in range(3):
        with open(body, "r+b") as file:
            # Another start and no two equal megabytes: nothing is found by deduplication.
            for at in range(0, GIB, 1 << 16):
                file.seek(at)
                file.write(os.urandom(64))
        os.sync()
        ups.append(curl("-T", body, "-w", "%{speed_upload}", server.url + signer.path("PUT", f"/bench/large-{n}")))
        downs.append(curl("-w", "%{speed_download}", server.url + signer.path("GET", f"/bench/large-{n}")))
    report("one upload stream, 1 GiB", mb(statistics.median(ups)), ">= 300 MB/s", f"{min(ups) / 1e6:.0f} to {max(ups) / 1e6:.0f}")
    report("one download stream, 1 GiB", mb(statistics.median(downs)), ">= 1000 MB/s", f"{min(downs) / 1e6:.0f} to {max(downs) / 1e6:.0f}")
    return body


def streams(server, signer, body, count=10):
    """Resident memory while uploads and downloads run side by side."""
    words = ["curl", "-sS", "-f", "-o", "/dev/null"]
    running = [subprocess.Popen([*words, "-T", str(body), server.url + signer.path("PUT", f"/bench/wide-{n}")]) for n in range(count)]
    running += [subprocess.Popen([*words, server.url + signer.path("GET", "/bench/large-0")]) for _ in range(count)]
    most = 0
    while any(process.poll() is None for process in running):
        most = max(most, server.memory())
        time.sleep(0.1)
    if any(process.returncode for process in running):
        raise AssertionError("a stream failed")
    report(f"RSS, {count} uploads and {count} downloads of 1 GiB", f"{most >> 20} MiB", "<= 200 MiB")


def tree(server, s3, signer):
    page = server.url + signer.path("GET", "/bench", {"list-type": "2", "prefix": "fill/0001/"})
    took = statistics.median(curl("-w", "%{time_total}", page) for _ in range(11)) * 1000
    seen = timed(lambda: s3.list_objects_v2(Bucket="bench", Prefix="fill/0001/"))
    report("LIST page of 1,000", f"{took:.1f} ms", "<= 10 ms", f"as curl sees it, connecting included; {seen:.0f} ms with boto3's parsing")
    for n in range(10_000):
        s3.put_object(Bucket="bench", Key=f"flat/{n:05}", Body=b"x")
    body = '<propfind xmlns="DAV:"><prop><getcontentlength/><getlastmodified/><getetag/><resourcetype/></prop></propfind>'
    listing = lambda: lib.same(server.dav("PROPFIND", "/bench/flat", headers={"Depth": "1"}, data=body).status_code, 207)
    report("PROPFIND Depth 1 of 10,000 files", f"{timed(listing, 5):.0f} ms", "<= 200 ms")
    names = ["/bench/flat", "/bench/flat2"]

    def move():
        to = {"Destination": f"{server.url}/dav{names[1]}"}
        lib.same(server.dav("MOVE", names[0], headers=to).status_code, 201)
        names.reverse()
    report("MOVE of a folder of 10,000", f"{timed(move):.1f} ms", "<= 10 ms")
    s3.copy_object(Bucket="bench", Key="two-1", CopySource={"Bucket": "bench", "Key": "large-1"})
    copies = iter(range(100))
    copy = lambda: s3.copy_object(Bucket="bench", Key=f"copy-{next(copies)}", CopySource={"Bucket": "bench", "Key": "large-0"})
    report("COPY of 1 GiB", f"{timed(copy):.1f} ms", "<= 10 ms", "the same rows whatever the size")


def restart(server):
    meta = server.data / "meta" / "holdall.redb"
    server.kill()
    began = time.monotonic()
    server.start(patience=600)
    report(f"ready after kill -9 at {FILES} files", f"{time.monotonic() - began:.2f} s", "<= 2 s",
           f"metadata {meta.stat().st_size >> 20} MiB, {meta.stat().st_blocks * 512 >> 20} MiB on disk")
    report("RSS idle after the restart", f"{server.memory() >> 20} MiB", "<= 60 MiB")


def main():
    server = lib.Server("bench", data=os.environ.get("BENCH_DATA"))
    s3 = server.s3()
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket="bench")
    signer = Signer(f"127.0.0.1:{server.port}", lib.ACCESS, lib.SECRET, lib.REGION)
    folder = lib.scratch("bench")
    report("RSS idle", f"{server.memory() >> 20} MiB", "<= 60 MiB")
    with check("small requests on the empty store"):
        empty = puts(server, signer, folder, "first")
    with check(f"{FILES} files written"):
        report(f"filling with {FILES} files of 4 KiB", f"{fill(server, signer, folder, FILES):.0f}/s", "", "64 connections")
    with check("small requests"):
        small(server, signer, folder, empty)
    with check("large streams"):
        body = large(server, signer, folder)
        streams(server, signer, body)
    with check("the tree"):
        tree(server, s3, signer)
    with check("restart"):
        restart(server)
    server.stop()
    pathlib.Path(lib.WORK / "bench.txt").write_text("\n".join(" | ".join(row) for row in rows) + "\n")


main()
lib.finish()
