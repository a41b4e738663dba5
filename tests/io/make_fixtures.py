"""Writes tests/io/fixtures: one matrix in every type and layout the readers know, and files they must refuse.

Needs numpy and h5py. Run from the root of the repository; the results are committed.
"""
import json
import os
import struct

import h5py
import numpy as np

ROWS, COLS = 45, 7
HERE = os.path.join("tests", "io", "fixtures")

cell = np.arange(ROWS)[:, None] * 7 + np.arange(COLS) * 3
SIGNED = (cell % 17) - 8
KINDS = {  # the same three formulas as in test_readers.c
    "f": SIGNED / 4.0,
    "i": SIGNED,
    "u": cell % 17,
    "b": cell % 2,
}


def matrix(dtype):
    return KINDS[np.dtype(dtype).kind].astype(dtype)


def bfloat16(values):
    return (values.astype("<f4").view("<u4") >> 16).astype("<u2")


def npy():
    for dtype in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i1", "<i2", ">i4", "<i8", "<u1", ">u2", "<u4", "<u8", "|b1"]:
        name = dtype.replace("<", "").replace(">", "be_").replace("|", "")
        np.save(f"{HERE}/{name}.npy", matrix(dtype))
    np.save(f"{HERE}/fortran_f4.npy", np.asfortranarray(matrix("<f4")))
    np.save(f"{HERE}/fortran_be_f8.npy", np.asfortranarray(matrix(">f8")))
    np.save(f"{HERE}/three_d_f2.npy", matrix("<f2").reshape(9, 5, COLS))
    np.save(f"{HERE}/fortran_3d.npy", np.asfortranarray(matrix("<f4").reshape(9, 5, COLS)))
    np.save(f"{HERE}/scalar.npy", np.float64(2.5))


def safetensors():
    header, data = {"__metadata__": {"made_by": "make_fixtures.py"}}, b""
    tensors = {"BF16": bfloat16(matrix("<f4")), "U8": matrix("<u1"), "BOOL": matrix("|b1")}
    for name, dtype in [("F64", "<f8"), ("F32", "<f4"), ("F16", "<f2"), ("I64", "<i8"), ("I16", "<i2"), ("U32", "<u4")]:
        tensors[name] = matrix(dtype)
    for name, values in tensors.items():
        header[name] = {"dtype": name, "shape": list(values.shape), "data_offsets": [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    with open(f"{HERE}/matrix.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def bfloat16_type():
    t = h5py.h5t.IEEE_F32LE.copy()
    t.set_fields(15, 7, 8, 0, 7)
    t.set_size(2)
    t.set_ebias(127)
    return t


def hdf5():
    with h5py.File(f"{HERE}/matrix.h5", "w") as f:
        f.attrs["title"] = "one matrix, many types"
        f.attrs["fixed"] = np.bytes_(b"fixed text")
        f.attrs["count"] = 45
        f.attrs["half"] = 0.5
        for dtype in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i1", "<i2", ">i4", "<i8", "<u1", ">u2", "<u4", "<u8"]:
            f[f"types/{dtype.replace('<', '').replace('>', 'be_')}"] = matrix(dtype)
        f["types/bool"] = matrix("|b1")
        space = h5py.h5s.create_simple((ROWS, COLS))
        dset = h5py.h5d.create(f["types"].id, b"bf16", bfloat16_type(), space)
        dset.write(h5py.h5s.ALL, h5py.h5s.ALL, bfloat16(matrix("<f4")), mtype=bfloat16_type())
        packed = dict(compression="gzip", shuffle=True)
        f.create_dataset("packed/f2", data=matrix("<f2"), chunks=(8, 3), fletcher32=True, **packed)
        f.create_dataset("packed/f8", data=matrix("<f8"), chunks=(50, 7), maxshape=(None, 7), **packed)
        f.create_dataset("packed/i4", data=matrix("<i4"), chunks=(4, 7), compression="gzip")
        f.create_dataset("packed/chunked", data=matrix("<f4"), chunks=(6, 7))
        f["three_d"] = matrix("<f2").reshape(9, 5, COLS)
        f["scalar"] = 2.5
        f["text"] = ["left", "out"]
        f["again"] = f["three_d"]
        f["types/loop"] = f["/"]
        f["soft"] = h5py.SoftLink("/outside/activations")
        f["outside"] = h5py.ExternalLink("absent.h5", "/")
        f["null"] = h5py.Empty("f4")

    def one(name, make):
        with h5py.File(f"{HERE}/{name}.h5", "w") as g:
            make(g)

    one("lzf", lambda g: g.create_dataset("x", data=matrix("<f4"), chunks=(8, 7), compression="lzf"))
    one("never_written", lambda g: g.create_dataset("x", (2**40, 1024), "f4", chunks=(1024, 1024), compression="gzip"))
    one("late", lambda g: g.create_dataset("x", (1000, 10), "f4"))
    one("ten_axes", lambda g: g.create_dataset("x", data=np.zeros((1,) * 10, "f4")))

    def sparse(g):
        g.create_dataset("x", (2**40, 1024), "f4", chunks=(64, 1024), compression="gzip")[0, 0] = 1

    def virtual(g):
        layout = h5py.VirtualLayout((ROWS, COLS), "f4")
        layout[:] = h5py.VirtualSource("matrix.h5", "types/f4", (ROWS, COLS))
        g.create_virtual_dataset("x", layout)

    def links(g):
        g["x"] = h5py.ExternalLink("matrix.h5", "/types/f4")

    def twice(g):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((ROWS, COLS))
        plist.set_deflate(9)
        plist.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (9,))
        g["x"] = 1
        h5py.h5d.create(g.id, b"y", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((ROWS, COLS)), plist)

    one("sparse", sparse)
    one("virtual", virtual)
    one("external_links", links)
    one("deflate_twice", twice)


os.makedirs(HERE, exist_ok=True)
npy()
safetensors()
hdf5()
