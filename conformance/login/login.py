"""Wrong passwords for known and for unknown names, in turn and at random, on one connection: the
answers are the same and their times cannot be told apart. Each name is tried nine times at most,
so that no login is slowed down. HOLDALL_LOGINS sets how many of each kind; 2,000 are the goal."""

import base64
import bisect
import http.client
import os
import random
import statistics
import time

import lib
from lib import check, same

EACH = int(os.environ.get("HOLDALL_LOGINS", "2000"))
TRIES = 9
NAMES = -(-EACH // TRIES)

server = lib.Server("login")
connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)


def log_in(user, password):
    """Status, body and the seconds they took."""
    headers = {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode(), "Depth": "0"}
    began = time.perf_counter()
    connection.request("PROPFIND", "/dav/", headers=headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, text, time.perf_counter() - began


def area(one, other):
    """The area under the ROC curve of telling one from the other by time, at least a half."""
    ranked = sorted(one)
    below = sum(bisect.bisect_left(ranked, value) + bisect.bisect_right(ranked, value) for value in other) / 2
    share = below / (len(one) * len(other))
    return max(share, 1 - share)


known = [f"known-{n:04}" for n in range(NAMES)]
unknown = [f"other-{n:04}" for n in range(NAMES)]
for name in known:
    server.holdall("user", "add", name, "--password-stdin", stdin="right-password\n")

pairs = [(one, other) for one, other in zip(known, unknown) for _ in range(TRIES)][:EACH]
random.Random(os.environ.get("HOLDALL_SEED", "9")).shuffle(pairs)
times, answers = {True: [], False: []}, set()
for pair in pairs:
    # Which of a pair comes first changes, so that neither gains by its place.
    for is_known in random.sample((True, False), 2):
        status, text, took = log_in(pair[0 if is_known else 1], "wrong-password")
        times[is_known].append(took)
        answers.add((status, text))

medians = {kind: statistics.median(values) * 1000 for kind, values in times.items()}
apart, roc = abs(medians[True] / medians[False] - 1), area(times[True], times[False])
print(f"{EACH} logins each: medians {medians[True]:.2f} ms known, {medians[False]:.2f} ms unknown "
      f"({apart:.1%} apart), ROC {roc:.3f}")

with check("a refused login has one answer whether the account exists or not"):
    same(len(answers), 1, "number of different answers")
    same(next(iter(answers))[0], 401)

with check("the medians are within 5 %"):
    assert apart <= 0.05, f"{apart:.1%}"

with check("the times cannot be told apart"):
    assert roc <= 0.55, f"{roc:.3f}"

server.stop()
lib.finish()
