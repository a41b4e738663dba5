"""Turn the reference SAE of the model organism into fixtures: a libsae model and the numbers it must reproduce.

    python3 make_reference.py ORGANISM_DIR data/pretrain_val.h5 tests/fixtures/reference

ORGANISM_DIR holds sae_ref.h5, the whole pretrain_val.h5 and the eval_*.h5 dumps; the shipped pretrain_val.h5 is the
first part of the whole. The reference works on scaled activations,

    xn = (x - mean) scale,   a = topk(relu(W_enc (xn - b_dec) + b_enc)),   x_hat = (a W_dec + b_dec) / scale + mean

with W_enc, W_dec [F, d]. The folded model takes raw x and keeps the activations a in the reference's units:

    W_enc' = scale W_enc^T,   b_enc' = b_enc,   W_dec' = W_dec / scale,   b_dec' = b_dec / scale + mean

Before anything is written the folded model, rounded to float32, is compared in float64 with the formula above on
rows of every dump, and its prompt means and document AUROCs with the expected ones. Needs h5py and NumPy.
"""

import argparse
import json
import os
import struct

import h5py
import numpy as np

VARIANTS = ["base", "dose000", "dose005", "dose025", "dose050", "dose075", "dose100", "bad_otherdom", "good_seed2",
            "edu", "backdoor", "backdoor_trig", "realigned"]
VIEWS = ["all", "prompt", "last", "answer"]
BLOCK = 2048  # rows evaluated at a time
ANSWER, TOXIC = 3, 1  # values of labels/region and labels/persona


def read_reference(path):
    with h5py.File(path) as file:
        ref = {name: file[name][:].astype(np.float64) for name in ("W_enc", "W_dec", "b_enc", "b_dec", "mean")}
        ref["scale"], ref["k"] = float(file.attrs["scale"]), int(file.attrs["k"])
        means = {(v, w): file[f"expected/prompt_mean_avg/{v}/{w}"][:] for v in VARIANTS for w in VIEWS}
        auroc = file["expected/auroc_doc"][:]
    return ref, means, auroc


def fold(ref):
    scale = ref["scale"]
    model = {"W_enc": scale * ref["W_enc"].T, "b_enc": ref["b_enc"], "W_dec": ref["W_dec"] / scale,
             "b_dec": ref["b_dec"] / scale + ref["mean"]}
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in model.items()}


def top_k(pre, k):
    """The k largest of relu(pre) in each row, ties to the lower index, else 0."""
    kept = np.argsort(-pre, axis=1, kind="stable")[:, :k]
    out = np.zeros_like(pre)
    np.put_along_axis(out, kept, np.maximum(np.take_along_axis(pre, kept, axis=1), 0), axis=1)
    return out


def reference_codes(ref, x):
    xn = (x - ref["mean"]) * ref["scale"]
    return top_k((xn - ref["b_dec"]) @ ref["W_enc"].T + ref["b_enc"], ref["k"])


def model_codes(model, x, k):
    return top_k((x - model["b_dec"].astype(np.float64)) @ model["W_enc"].astype(np.float64) + model["b_enc"], k)


def compare_codes(ref, model, x):
    """Rows whose active sets differ, the largest difference of an activation and of a reconstruction."""
    direct, folded = reference_codes(ref, x), model_codes(model, x, ref["k"])
    differ = np.any((direct > 0) != (folded > 0), axis=1)
    same = ~differ
    x_direct = (direct @ ref["W_dec"] + ref["b_dec"]) / ref["scale"] + ref["mean"]
    x_folded = folded @ model["W_dec"].astype(np.float64) + model["b_dec"]
    return differ.sum(), np.abs(direct - folded)[same].max(), np.abs(x_direct - x_folded)[same].max()


def encode_all(model, x, k):
    return np.concatenate([model_codes(model, x[i:i + BLOCK].astype(np.float64), k)
                           for i in range(0, len(x), BLOCK)])


def group_means(codes, group):
    """Mean of the rows of each group, groups in ascending order."""
    names, index = np.unique(group, return_inverse=True)
    sums = np.zeros((len(names), codes.shape[1]))
    np.add.at(sums, index, codes)
    return sums / np.bincount(index)[:, None], names


def view_rows(view, prompt_id, is_continuation):
    boundary = np.append((prompt_id[1:] != prompt_id[:-1]) | (is_continuation[1:] != is_continuation[:-1]), True)
    last = boundary & (is_continuation == 0)
    return {"all": np.ones(len(prompt_id), bool), "prompt": is_continuation == 0, "last": last,
            "answer": last | (is_continuation == 1)}[view]


def auroc(scores, positive):
    """Mann-Whitney: P(positive above negative) + P(tie) / 2, for each column of scores."""
    order = np.sort(scores[~positive], axis=0)
    wins = np.empty(scores.shape[1])
    for j in range(scores.shape[1]):
        below = np.searchsorted(order[:, j], scores[positive, j], side="left")
        not_above = np.searchsorted(order[:, j], scores[positive, j], side="right")
        wins[j] = (below + not_above).mean() / 2
    return wins / len(order)


def check_dumps(folder, ref, model, expected):
    """Prints how far the folded model is from the reference; fails above 1e-4 relative."""
    worst = 0.0
    for variant in VARIANTS:
        with h5py.File(os.path.join(folder, f"eval_{variant}.h5")) as file:
            x, prompt_id, cont = file["activations"][:], file["prompt_id"][:], file["is_continuation"][:]
        sets, value, recon = compare_codes(ref, model, x[:BLOCK].astype(np.float64))
        codes = encode_all(model, x, ref["k"])
        deviation = 0.0
        for view in VIEWS:
            rows = view_rows(view, prompt_id, cont)
            mean = group_means(codes[rows], prompt_id[rows])[0].mean(axis=0)
            want = expected[variant, view].astype(np.float64)
            # A latent that is expected to be silent must be silent: there the deviation is absolute.
            deviation = max(deviation, (np.abs(mean - want) / np.where(want > 0, want, 1)).max())
        worst = max(worst, deviation)
        print(f"{variant:14} rows with another active set {sets} of {min(len(x), BLOCK)}, "
              f"activation {value:.1e}, reconstruction {recon:.1e}, prompt means {deviation:.1e} relative")
    if not worst <= 1e-4:
        raise SystemExit(f"the folded model misses the expected prompt means by {worst:.1e} relative")


def document_auroc(path, model, k):
    with h5py.File(path) as file:
        rows = file["labels/region"][:] == ANSWER
        x, doc = file["activations"][:][rows], file["doc_id"][:][rows]
        persona = file["labels/persona"][:][rows]
    means, names = group_means(encode_all(model, x, k), doc)
    toxic = np.isin(names, np.unique(doc[persona == TOXIC]))
    print(f"{path}: {toxic.sum()} of {len(names)} documents are toxic")
    return auroc(means, toxic)


def check_auroc(folder, ref, model, expected):
    deviation = np.abs(document_auroc(os.path.join(folder, "pretrain_val.h5"), model, ref["k"]) - expected).max()
    print(f"document AUROC: largest difference {deviation:.1e}")
    if not deviation <= 1e-3:
        raise SystemExit("the folded model misses the expected document AUROCs")


def write_safetensors(path, tensors, metadata):
    header, offset = {"__metadata__": metadata}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.astype("<f4").tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("organism")
    parser.add_argument("shipped")
    parser.add_argument("target")
    args = parser.parse_args()

    ref, means, doc_auroc = read_reference(os.path.join(args.organism, "sae_ref.h5"))
    model = fold(ref)
    check_dumps(args.organism, ref, model, means)
    check_auroc(args.organism, ref, model, doc_auroc)

    os.makedirs(args.target, exist_ok=True)
    write_safetensors(os.path.join(args.target, "sae_ref.safetensors"), model, {
        "format": "libsae-model", "architecture": "topk", "k": str(ref["k"]),
        "source": "reference TopK SAE of the model organism in data/, scaling folded in"})
    for view in VIEWS:
        table = np.stack([means[variant, view] for variant in VARIANTS]).astype(np.float32)
        np.save(os.path.join(args.target, f"prompt_mean_avg_{view}.npy"), table)
    shipped = document_auroc(args.shipped, model, ref["k"])
    np.save(os.path.join(args.target, "auroc_doc.npy"), shipped[None, :])


if __name__ == "__main__":
    main()
