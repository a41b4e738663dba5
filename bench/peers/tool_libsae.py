"""libsae through its command: options of `sae train`, and the fit of a model from `sae encode`."""

import os
import subprocess

from peer_settings import SAE_FLAGS


def command(build):
    return os.path.join(build, "examples", "sae", "sae")


def known_flags(sae):
    text = subprocess.run([sae, "train", "--help"], capture_output=True, text=True, check=True).stdout
    return {word.rstrip(",") for word in text.split() if word.startswith("--")}


def flags(sae, problem, preset=None):
    """The options of a run, and those that this build of sae does not have."""
    values = {name: getattr(problem, name) for name in SAE_FLAGS if hasattr(problem, name)} | problem.extra
    wanted = [(SAE_FLAGS[name], str(value)) for name, value in values.items()] + [("--arch", problem.arch)]
    if preset is not None:
        wanted.append(("--preset", preset))
    known = known_flags(sae)
    given = [text for option, value in wanted if option in known for text in (option, value)]
    return given, [option for option, value in wanted if option not in known]


def train_command(sae, rows, model, options, threads):
    return [sae, "train", rows, "-o", model, "--quiet", "--threads", str(threads), *options]


def tensors(model):
    from safetensors.numpy import load_file

    return load_file(model)


def measure(sae, model, heldout, folder):
    """x̂ = f W_dec + b_dec with the codes f that `sae encode` writes, whatever the architecture."""
    import h5py
    import numpy as np
    import scipy.sparse

    import peer_fit

    path = os.path.join(folder, "codes.h5")
    subprocess.run([sae, "encode", model, heldout, "-o", path, "--force", "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    rows, weights = np.load(heldout), tensors(model)
    with h5py.File(path) as f:
        codes = scipy.sparse.csr_matrix((f["value"][...], f["latent"][...], f["row_ptr"][...]),
                                        shape=(len(rows), len(weights["W_dec"])))
    fit = peer_fit.Fit(rows)
    for start in range(0, len(rows), 1024):
        f = codes[start:start + 1024]
        fit.add(rows[start:start + 1024], f @ weights["W_dec"] + weights["b_dec"], (f > 0).toarray())
    return fit.result()
