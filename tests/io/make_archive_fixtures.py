"""Writes the archives of tests/io/fixtures: the matrix of make_fixtures.py as .npz and .pt, in many types and views.

Needs numpy and torch. Run from the root of the repository; the results are committed.
"""
import os
import zipfile

import numpy as np
import torch

ROWS, COLS = 45, 7
HERE = os.path.join("tests", "io", "fixtures")

cell = np.arange(ROWS)[:, None] * 7 + np.arange(COLS) * 3
KINDS = {"f": ((cell % 17) - 8) / 4.0, "i": (cell % 17) - 8, "u": cell % 17, "b": cell % 2}


def matrix(dtype):
    return KINDS[np.dtype(dtype).kind].astype(dtype)


def arrays():
    return {
        "f2": matrix("<f2"), "be_f4": matrix(">f4"), "f8": matrix("<f8"), "i2": matrix("<i2"), "u8": matrix("<u8"),
        "b1": matrix("|b1"), "fortran": np.asfortranarray(matrix("<f4")),
        "three_d": matrix("<f2").reshape(9, 5, COLS),
        "fortran_three_d": np.asfortranarray(matrix("<f8").reshape(9, 5, COLS)),
        "texts": np.array(["left", "out"]),
    }


def npz():
    np.savez(f"{HERE}/matrix.npz", **arrays())
    np.savez_compressed(f"{HERE}/matrix_packed.npz", **arrays())
    # Written as a stream, every size stands behind its member and, with force_zip64, in 64 bits.
    with open(f"{HERE}/matrix_stream.npz", "wb") as file:
        file.seekable = lambda: False
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, values in arrays().items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, values)


def tensors():
    f4 = torch.from_numpy(matrix("<f4"))
    wide = torch.full((2 * ROWS, 3 * COLS), torch.nan)
    wide[1::2, 2::3] = f4
    return {
        "f4": f4, "f8": f4.double(), "f2": f4.half(), "bf16": f4.bfloat16(), "parameter": torch.nn.Parameter(f4.clone()),
        "whole": {"i1": torch.from_numpy(matrix("<i1")), 2: torch.from_numpy(matrix("<i2")),
                  "wide": [torch.from_numpy(matrix("<i4")), torch.from_numpy(matrix("<i8"))],
                  "u1": torch.from_numpy(matrix("<u1")), "bool": torch.from_numpy(matrix("|b1"))},
        "transposed": f4.t().contiguous().t(), "strided": wide[1::2, 2::3],
        "three_d": f4.reshape(9, 5, COLS), "turned": f4.reshape(9, 5, COLS).permute(2, 0, 1).contiguous().permute(1, 2, 0),
        "config": {"d": COLS, "rate": 0.5, "name": "one matrix", "tied": True, "dtype": torch.float32, "none": None},
    }


def torch_files():
    torch.save(tensors(), f"{HERE}/matrix.pt")
    torch.save(tensors(), f"{HERE}/matrix_legacy.pt", _use_new_zipfile_serialization=False)
    v3 = {"u2": torch.from_numpy(matrix("<u2").astype("<i2")).view(torch.uint16), "u4": torch.from_numpy(matrix("<u4").astype("<i4")).view(torch.uint32)}
    torch.save(v3, f"{HERE}/matrix_v3.pt")
    with zipfile.ZipFile(f"{HERE}/matrix.pt") as stored, zipfile.ZipFile(f"{HERE}/matrix_packed.pt", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in stored.namelist():
            packed.writestr(name, stored.read(name))
    model = torch.nn.Linear(3, 2)
    torch.save(model, f"{HERE}/module.pt")


npz()
torch_files()
