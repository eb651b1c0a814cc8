"""The fixed sample: files that look like those people have. The same seed gives the same bytes."""

import os
import pathlib
import random

WORDS = ["Rechnung", "photo", "Ünïcode", "notes", "2024", "été", "Meeting minutes", "日本語", "final (2)", "résumé",
         "src", "data", "IMG_0042", "Отчёт", "budget", "a+b", "50% off", "tom & jerry", "it's", "#tag", "emoji 😀",
         "semi;colon", "comma,comma", "tilde~", "under_score", "[draft]", "{x}", "x=y", "straße", "deep"]
ENDINGS = [".txt", ".jpg", ".pdf", ".md", ".rs", ".tar.gz", ".JPEG", "", ".docx", ".csv"]
TEXT = ("The quick brown fox jumps over the lazy dog. " * 40).encode()


def folders(rng, count):
    """Folders up to twelve deep; the first is the top."""
    made = [pathlib.PurePosixPath()]
    while len(made) < count:
        parent = rng.choice(made[-40:] if rng.random() < 0.5 else made)
        if len(parent.parts) < 12:
            made.append(parent / f"{rng.choice(WORDS)} {len(made)}")
    return made


def size(rng):
    kind = rng.random()
    if kind < 0.02:
        return 0
    if kind < 0.90:
        return min(int(rng.lognormvariate(7.5, 1.3)), 60_000)
    if kind < 0.995:
        return rng.randrange(20_000, 200_000)
    return rng.randrange(500_000, 3_000_000)


def content(rng, length, earlier):
    kind = rng.random()
    if kind < 0.05 and earlier:
        return rng.choice(earlier)
    if kind < 0.35:
        start = rng.randrange(len(TEXT))
        return (str(rng.random()).encode() + TEXT[start:] + TEXT * (length // len(TEXT) + 1))[:length]
    return rng.randbytes(length)


def make(where, seed, files):
    """Writes the sample; gives the number of files and bytes."""
    rng = random.Random(seed)
    where = pathlib.Path(where)
    places = folders(rng, max(8, files // 25))
    for place in places:
        (where / place).mkdir(parents=True, exist_ok=True)
    total, earlier = 0, []
    for number in range(files):
        place = where / rng.choice(places)
        body = content(rng, size(rng), earlier)
        if len(earlier) < 50:
            earlier.append(body)
        (place / f"{rng.choice(WORDS)}_{number}{rng.choice(ENDINGS)}").write_bytes(body)
        total += len(body)
    (where / "video.mp4").write_bytes(rng.randbytes(20 << 20))
    return files + 1, total + (20 << 20)


def count():
    """How many files the parts use: 10,500, scaled by CONFORMANCE_SCALE (percent)."""
    return max(50, 10_500 * int(os.environ.get("CONFORMANCE_SCALE", "100")) // 100)


if __name__ == "__main__":
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        print(*make(folder, 1, count()))
