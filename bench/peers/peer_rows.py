"""Rows that every tool trains on, as float32 .npy files."""

import math

import numpy as np

ACTIVE = 12  # directions in a synthetic row


def write_synthetic(path, n, d, seed, chunk=8192):
    """Rows like those of bench/bench_sae.c: 12 of 4 d random directions, low indices more often, exponential
    amplitudes, and noise. The directions do not depend on the seed, so that two files are of one distribution."""
    n_directions = 4 * d
    directions = np.random.default_rng(0).random((n_directions, d), dtype=np.float32) - np.float32(0.5)
    rng = np.random.default_rng([seed, 1])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, d))
    for start in range(0, n, chunk):
        m = min(chunk, n - start)
        rows = np.float32(0.3) * (rng.random((m, d), dtype=np.float32) - np.float32(0.5))
        for _ in range(ACTIVE):
            which = (rng.random(m) ** 2 * n_directions).astype(np.int64)
            amplitude = rng.exponential(size=(m, 1)).astype(np.float32)
            rows += amplitude * directions[which]
        out[start:start + m] = rows
    out.flush()


def write_from_dump(path, dump):
    import h5py

    with h5py.File(dump) as f:
        np.save(path, f["activations"][...].astype(np.float32))


class BatchReader:
    """Batches read from the file into one buffer: a mapped file would count as memory of the tool."""

    def __init__(self, path, batch):
        with open(path, "rb") as f:
            assert np.lib.format.read_magic(f) == (1, 0)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(f)
            self.offset = f.tell()
        assert not fortran and dtype == np.float32
        self.file = open(path, "rb", buffering=0)
        self.n, self.d = shape
        self.buffer = np.empty((batch, self.d), np.float32)

    def read(self, step):
        batch = len(self.buffer)
        first = step % (self.n // batch) * batch
        self.file.seek(self.offset + first * self.d * 4)
        assert self.file.readinto(self.buffer) == self.buffer.nbytes
        return self.buffer


def epochs(rows, batch, seed):
    """Endless batches: every row once in each pass, in a new order."""
    rng = np.random.default_rng([seed, 2])
    while True:
        order = rng.permutation(len(rows))
        for start in range(0, len(rows) - batch + 1, batch):
            yield rows[order[start:start + batch]]


def root_mean_square_norm(rows):
    return math.sqrt(float(np.mean(np.sum(rows.astype(np.float64) ** 2, axis=1))))
