"""Everything that the command writes as arrays, read by the packages that its users have, bit for bit. Skipped where
NumPy is missing; a format whose package is missing is passed over.

    python3 test_outputs.py SAE MODEL DATA
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sae, model, data = sys.argv[1:]
try:
    import numpy as np
except ImportError:
    print("skipped: NumPy is not installed")
    sys.exit(77)
base, after = Path(data) / "eval_base.h5", Path(data) / "eval_dose100.h5"


def run(*arguments):
    done = subprocess.run([sae, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def load_npz(path):
    with np.load(path) as archive:
        comment = zipfile.ZipFile(path).comment
        return {name: archive[name] for name in archive.files}, json.loads(comment)


def load_safetensors(path):
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def load_hdf5(path):
    import h5py

    arrays = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if hasattr(item, "dtype") else None)
        return arrays, {name: value.decode() for name, value in file.attrs.items()}


def load_torch(path):
    import torch

    items = torch.load(path, weights_only=True)
    arrays = {name: item.numpy() for name, item in items.items() if isinstance(item, torch.Tensor)}
    return arrays, {name: item for name, item in items.items() if isinstance(item, str)}


loaders = {".npz": load_npz, ".safetensors": load_safetensors, ".h5": load_hdf5, ".pt": load_torch}
signed = {np.dtype(np.uint64): np.dtype(np.int64), np.dtype(np.uint32): np.dtype(np.int32)}


def in_every_format(folder, name, *arguments):
    """Runs the command once for each format; returns the arrays, which all formats must agree on."""
    first = None
    for suffix, load in loaders.items():
        path = folder / (name + suffix)
        run(*[path if a == "OUT" else a for a in arguments], "--quiet")
        try:
            arrays, texts = load(path)
        except ImportError as missing:
            print(f"{suffix}: {missing}")
            continue
        if first is None:
            first = arrays, texts
        assert arrays.keys() == first[0].keys(), (path, arrays.keys(), first[0].keys())
        assert suffix == ".pt" or texts == first[1], (path, texts, first[1])
        for key, value in first[0].items():
            got = arrays[key]
            wanted = signed.get(value.dtype, value.dtype) if suffix == ".pt" else value.dtype
            assert got.dtype == wanted and got.shape == value.shape, (path, key, got.dtype, got.shape)
            assert got.tobytes() == value.tobytes(), (path, key)
    return first


def check_codes(folder):
    codes, texts = in_every_format(folder, "codes", "encode", model, base, "-o", "OUT")
    rows, n_latents = map(int, codes["shape"])
    ends, latent, value = codes["row_ptr"], codes["latent"], codes["value"]
    assert texts["format"] == "libsae-codes" and int(texts["rows"]) == rows == len(ends) - 1
    assert ends[0] == 0 and ends[-1] == len(latent) == len(value) > 0
    assert (value > 0).all() and latent.max() < n_latents
    for threads in "1", "2", "3":
        again = folder / "again.npz"
        run("encode", model, base, "-o", again, "--threads", threads, "--memory", "64M", "--force", "--quiet")
        assert again.read_bytes() == (folder / "codes.npz").read_bytes()
    try:
        from scipy.sparse import csr_matrix
    except ImportError:
        return codes
    matrix = csr_matrix((codes["value"], codes["latent"], codes["row_ptr"]), shape=codes["shape"])
    matrix.check_format(full_check=True)
    dense = np.zeros((rows, n_latents), np.float32)
    dense[np.repeat(np.arange(rows), np.diff(ends.astype(np.int64))), latent] = value
    assert (matrix.toarray() == dense).all()
    return codes


def row_of_entries(codes):
    return np.repeat(np.arange(int(codes["shape"][0])), np.diff(codes["row_ptr"].astype(np.int64)))


def check_prompt_means(folder, codes):
    means, texts = in_every_format(folder, "means", "encode", model, base, "-o", "OUT", "--prompts")
    assert texts["group"] == "prompt_id"
    n_prompts, n_latents = map(int, means["shape"])
    ids, prompt = np.unique(codes["prompt_id"], return_inverse=True)
    assert (means["id"] == ids).all() and (means["rows"] == np.bincount(prompt)).all()
    sums, counts = np.zeros((n_prompts, n_latents)), np.zeros((n_prompts, n_latents))
    where = prompt[row_of_entries(codes)], codes["latent"]
    np.add.at(sums, where, codes["value"].astype(float))
    np.add.at(counts, where, 1)
    latent = np.repeat(np.arange(n_latents), np.diff(means["latent_ptr"].astype(np.int64)))
    for name, wanted in ("mean", sums), ("frequency", counts):
        got = np.zeros_like(wanted)
        got[means["prompt"], latent] = means[name]
        assert np.abs(got - wanted / means["rows"][:, None]).max() <= 1e-12 * max(1, wanted.max())
    return sums / means["rows"][:, None]


def check_statistics(folder, codes):
    statistics, texts = in_every_format(folder, "statistics", "eval", model, base, "--arrays", "OUT")
    n_latents = int(codes["shape"][1])
    assert texts == {"format": "libsae-statistics"}
    fires = np.bincount(codes["latent"], minlength=n_latents)
    assert (statistics["fires"] == fires).all() and statistics["rows"][0] == codes["shape"][0]
    assert (statistics["density"] == fires / codes["shape"][0]).all()
    printed = json.loads(run("eval", model, base, "--json"))
    for name, value in {**printed["fidelity"], **printed["variants"]}.items():
        assert abs(statistics[name][0] - value) <= 1e-8 * abs(value), name
    bare = folder / "bare.npz"
    run("eval", model, base, "--arrays", bare, "--no-cosines", "--quiet")
    assert set(np.load(bare).files) == statistics.keys() - {"largest_cosine"}
    try:
        decoder = load_safetensors(model)[0]["W_dec"].astype(float)
    except ImportError:
        return
    unit = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    assert np.abs(cosines.max(1) - statistics["largest_cosine"]).max() <= 1e-5


def check_ranking(folder, means):
    comparison = ("rank", model, "--before", base, "--after", after, "--permutations", "200", "--bootstrap", "50",
                  "--family-draws", "50")
    arrays, texts = in_every_format(folder, "ranking", *comparison, "-o", "OUT")
    assert texts["format"] == "libsae-ranking" and texts["paired"] == "true"
    run(*comparison, "-o", folder / "ranking.csv", "--rankers", folder / "rankers.npz", "--quiet")
    header, *lines = (folder / "ranking.csv").read_text().splitlines()
    assert set(header.split(",")) == arrays.keys()
    for i, name in enumerate(header.split(",")):
        written = np.array([float(line.split(",")[i] or "nan") for line in lines])
        got = arrays[name].astype(float)
        assert (np.isnan(got) == np.isnan(written)).all(), name
        with np.errstate(invalid="ignore"):
            close = (got == written) | (np.abs(got - written) <= 1e-8 * np.abs(got))
        assert close[~np.isnan(got)].all(), name
    by_latent = np.argsort(arrays["latent"])
    assert np.abs(arrays["mean_before"][by_latent] - means.mean(0)).max() <= 1e-12
    rankers = np.load(folder / "rankers.npz")
    assert (rankers["latent"] == arrays["latent"]).all() and (rankers["delta_rank"] == arrays["rank"]).all()
    assert np.isnan(rankers["attribution"]).all() and (rankers["attribution_rank"] == 0).all()
    run(*comparison, "-o", folder / "ranking.jsonl", "--quiet")
    first = json.loads((folder / "ranking.jsonl").read_text().splitlines()[0])
    assert first["latent"] == arrays["latent"][0]


def check_dumps(folder):
    """From each format into each other and back; float16 as it is shipped, then float32 and bfloat16 of our own."""
    arrays, texts = in_every_format(folder, "dump", "convert", base, "-o", "OUT")
    matrix = arrays["activations"]
    assert matrix.dtype == np.float16 and texts["model"]
    np.save(folder / "wide.npy", matrix.astype(np.float32) * np.float32(1 / 3))
    sources = {folder / f"dump{suffix}": matrix for suffix in loaders} | {folder / "wide.npy": None}
    try:
        import torch

        torch.save({"activations": torch.from_numpy(matrix).to(torch.bfloat16)}, folder / "brain.pt")
        sources[folder / "brain.pt"] = None
    except ImportError as missing:
        print(missing)
    for source in sources:
        wanted = checksums(source)
        for suffix in loaders:
            target = folder / f"copy{suffix}"
            run("convert", source, "-o", target, "--force", "--quiet")
            assert checksums(target).items() == wanted.items(), (source, target)


def checksums(path):
    """Type and CRC-32 of each array as the command reads it; integers may change their type, the matrix not."""
    lines = [json.loads(line) for line in run("info", "--verify", "--json", path).splitlines()]
    found = {}
    for line in lines:
        is_matrix = len(line["shape"]) == 2
        found["matrix" if is_matrix else line["name"]] = (line["dtype"] if is_matrix else None, line["crc32"])
    return found


def check_documents(folder):
    monitor = folder / "monitor.json"
    run("monitor", model, "--latent", "3,1", "--weights", "equal", "--control", base, "-o", monitor, "--quiet")
    told = json.loads(run("info", monitor, "--json"))
    assert told["role"] == "monitor" and [entry["latent"] for entry in told["latents"]] == [1, 3]
    score = json.loads(monitor.read_text())["controls"][0]["score"]
    assert abs(told["controls"][0]["score"] - score) <= 1e-8 * abs(score)
    study = run("info", Path(data) / "study.json")
    assert ": study, 16 conditions" in study and "dose 0.05" in study
    verdict = folder / "verdict.json"
    verdict.write_text('{"format": "libsae-verdict 1", "title": "t", "carrier": 7, "candidates": [{}]}')
    assert "carried by latent 7" in run("info", verdict)


with tempfile.TemporaryDirectory() as scratch:
    folder = Path(scratch)
    codes = check_codes(folder)
    means = check_prompt_means(folder, codes)
    check_statistics(folder, codes)
    check_ranking(folder, means)
    check_dumps(folder)
    check_documents(folder)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
print("passed")
