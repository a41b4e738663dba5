"""Writes tests/model/imports: small models as the real packages save them, and what the packages compute.

    VENV/bin/python tests/interop/make_import_fixtures.py

expected.npz holds `rows` and, for each folder NAME, `NAME.codes` and `NAME.rows` (activations, reconstructions)."""

import pathlib
import shutil

import numpy as np
import torch

import tool_sizes

tool_sizes.F, tool_sizes.K = 24, 3

import tool_models  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parent.parent / "model" / "imports"
D, ROWS = 8, 40


def write_crosscoder(folder, rows, expected):
    """The layout of ckkissane/crosscoder-model-diff-replication: rows of two models, f = relu(sum of both)."""
    p = tool_models.parameters(rows)
    folder.mkdir()
    W_enc = torch.stack([p["W_enc"], p["W_enc"].flip(1)])
    W_dec = torch.stack([p["W_dec"], p["W_dec"].flip(0)], dim=1)
    b_dec = torch.stack([p["b_dec"], -p["b_dec"]])
    torch.save({"W_enc": W_enc, "W_dec": W_dec, "b_enc": p["b_enc"], "b_dec": b_dec}, folder / "cc_weights.pt")
    pair = torch.stack([torch.tensor(rows), torch.tensor(rows[::-1].copy())], dim=1)
    codes = torch.relu(torch.einsum("nmd,mdf->nf", pair, W_enc) + p["b_enc"])
    rebuilt = torch.einsum("nf,fmd->nmd", codes, W_dec) + b_dec
    expected.update({"crosscoder.pair": pair.flatten(1).numpy(), "crosscoder.codes": codes.numpy(),
                     "crosscoder.rows": rebuilt.flatten(1).numpy()})


def main():
    rng = np.random.default_rng(5)
    rows = (rng.normal(0, 1, (ROWS, D)) + rng.normal(0, 1, D)).astype(np.float32)
    expected = {"rows": rows}
    shutil.rmtree(OUT, ignore_errors=True)
    for name, case in tool_models.CASES.items():
        folder = OUT / name.replace(",", "").replace(" ", "-")
        folder.mkdir(parents=True)
        path, encode, decode = case(folder, tool_models.case_parameters(case, rows))
        shutil.rmtree(folder / "inference", ignore_errors=True)
        if path.is_dir() and path != folder:
            for file in path.iterdir():
                file.rename(folder / file.name)
            path.rmdir()
        with torch.no_grad():
            codes = encode(torch.tensor(rows))
            expected[f"{folder.name}.codes"] = codes.numpy()
            expected[f"{folder.name}.rows"] = decode(codes).numpy()
    write_crosscoder(OUT / "crosscoder", rows, expected)
    # A state dict that TopK and BatchTopK share, without the configuration that tells them apart.
    (OUT / "unnamed").mkdir()
    shutil.copy(OUT / "dictionary_learning-TopK" / "ae.pt", OUT / "unnamed" / "ae.pt")
    # A TopK that keeps negative activations.
    (OUT / "openai-signed").mkdir()
    tool_models.openai_topk(OUT / "openai-signed", tool_models.parameters(rows), after="Identity")
    np.savez_compressed(OUT / "expected.npz", **expected)


if __name__ == "__main__":
    main()
