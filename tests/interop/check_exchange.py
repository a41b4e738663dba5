"""Runs every case of tool_models.py through the command, both ways, and compares activations and reconstructions on
the rows of a dump.

A row is compared where both keep the same latents. Scores that tie with a threshold, or with the k-th score, within
the rounding of float32 may fall to either side; such rows are counted, and more than 0.5 % of them is a failure."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import torch
from safetensors.numpy import load_file

import tool_models

TOLERANCE, UNDECIDED = 1e-5, 0.005


def run(*words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def codes_of(args, model, rows_path, folder):
    run(args.sae, "encode", model, rows_path, "-o", folder / "codes.h5", "--force", "--quiet")
    with h5py.File(folder / "codes.h5") as f:
        n = len(f["row_ptr"]) - 1
        # What undoes the norm of each row, where the model has one.
        frame = (f["row_scale"][...][:, None], f["row_shift"][...][:, None]) if "row_scale" in f else (1, 0)
        dense = np.zeros((n, int(f.attrs["n_latents"])), np.float32)
        dense[np.repeat(np.arange(n), np.diff(f["row_ptr"][...]).astype(np.int64)), f["latent"][...]] = f["value"][...]
        return dense, frame


def fvu_of(args, model, rows_path):
    return json.loads(run(args.sae, "eval", model, rows_path, "--json", "--no-cosines", "--quiet"))["fidelity"]["fvu"]


def relative(a, b):
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64)))


def unexplained(rows, rebuilt):
    rows = rows.astype(np.float64)
    return float(((rows - rebuilt) ** 2).sum() / ((rows - rows.mean(0)) ** 2).sum())


def compare(rows, ours, fvu, model, encode, decode):
    """ours: activations that libsae computed with the model file, scale and shift of each row; fvu: as `sae eval` has it,
    by its own decoder. Returns (problem or None, figures)."""
    with torch.no_grad():
        theirs = encode(torch.tensor(rows))
        reconstruction = decode(theirs).numpy()
        theirs = theirs.numpy()
    ours, (scale, shift) = ours
    same = ((theirs > 0) == (ours > 0)).all(1)
    weights = load_file(model)
    mine = (ours @ weights["W_dec"] + weights["b_dec"]) * scale + shift
    fvu_off = abs(fvu - unexplained(rows, reconstruction)) / fvu
    codes, rebuilt = relative(ours[same], theirs[same]), relative(mine[same], reconstruction[same])
    active = (theirs > 0).sum(1).mean()
    figures = f"codes {codes:.1e}  rows {rebuilt:.1e}  FVU {fvu_off:.0e}  undecided {(~same).sum()}/{len(rows)}  L0 {active:.1f}"
    good = codes <= TOLERANCE and rebuilt <= TOLERANCE and fvu_off <= (TOLERANCE if same.all() else UNDECIDED) and (~same).mean() <= UNDECIDED and 1 < active < 0.9 * ours.shape[1]
    return good, figures


def import_case(args, name, case, rows, rows_path, folder):
    path, encode, decode = case(folder, tool_models.case_parameters(case, rows))
    model = folder / "libsae.safetensors"
    run(args.sae, "convert", path, "-o", model)
    return compare(rows, codes_of(args, model, rows_path, folder), fvu_of(args, model, rows_path), model, encode, decode)


def export_case(args, source, layout, rows, rows_path, folder):
    case = tool_models.CASES[source]
    path, _, _ = case(folder, tool_models.case_parameters(case, rows))
    model, out = folder / "libsae.safetensors", folder / ("out.npz" if layout == "npz" else "out")
    run(args.sae, "convert", path, "-o", model)
    run(args.sae, "convert", model, "-o", out, "--to", layout)
    return compare(rows, codes_of(args, model, rows_path, folder), fvu_of(args, model, rows_path), model,
                   *tool_models.LOADERS[layout](out))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sae", required=True)
    parser.add_argument("--dump", required=True)
    args = parser.parse_args()
    with h5py.File(args.dump) as f:
        rows = f["activations"][:2000].astype(np.float32)
    jobs = [(f"from {name}", import_case, (name, case)) for name, case in tool_models.CASES.items()]
    jobs += [(f"to {layout}, {activation}", export_case, (source, layout)) for layout in tool_models.LOADERS
             for activation, source in tool_models.EXPORTED.items() if layout != "sparsify" or activation == "topk"]
    jobs += [(f"to saelens, {what}", export_case, (source, "saelens")) for what, source in tool_models.NORMALISED.items()]
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        rows_path = pathlib.Path(work) / "rows.npy"
        np.save(rows_path, rows)
        for i, (name, check, what) in enumerate(jobs):
            folder = pathlib.Path(work) / str(i)
            folder.mkdir()
            try:
                good, text = check(args, *what, rows, rows_path, folder)
            except Exception as problem:  # a case that cannot run is a failure with its reason, not the end
                good, text = False, f"{type(problem).__name__}: {problem}"
            failures += not good
            print(f"{'ok  ' if good else 'FAIL'}  {name:<46} {text}", flush=True)
    print(f"{len(jobs)} exchanges, {failures} failed")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
