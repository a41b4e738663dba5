#!/usr/bin/env python3
"""Writes fixtures/tool_steps/*.safetensors: training steps that the Python tools' own trainers take, from given weights
on given batches.

    VENV/bin/python make_tool_steps.py        (VENV is what bench/peers/setup.sh makes)

Each file is named after libsae's preset of the trainer, and after what distinguishes it from another. The trainer runs
in float64 with its own loss, clipping, optimiser, schedules and dead latents; nothing of it is written again here.
Tensors, float32:

    rows                                    [STEPS, B, D]     the raw rows of each step
    W_enc, W_dec, b_enc, b_dec, extra_0/1   [STEPS + 1, …]    the weights before each step and after the last, in scaled
                                                              units; W_enc and W_dec as [F, D]

b_enc is the bias of the gate of a gated SAE; the extras are its r_mag and b_mag, or the thresholds of JumpReLU.

Metadata: scale, by which the tool multiplies the rows; the lengths of the rows that it draws (encoder_norm,
decoder_norm), the largest b_enc (bias), the first extra (extra_start) and whether b_dec starts at the median of the
batch (median), all from its own initialisation before the weights are replaced; threshold, BatchTopK's after the last
step; preset, and the options of the run by their names in libsae.

The weights and rows are drawn until float32 and float64 runs of the tool agree, which says that no choice of the run
hangs on rounding."""
import json
import math
import pathlib
import struct
import sys
import types

import numpy as np
import torch

# dictionary_learning imports nnsight for the buffer that runs a language model, which is not used here.
sys.modules.setdefault("nnsight", types.ModuleType("nnsight")).LanguageModel = object

import dictionary_learning.trainers as learning  # noqa: E402
import sae_lens  # noqa: E402
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKTrainer  # noqa: E402
from sae_lens.config import SAETrainerConfig  # noqa: E402
from sae_lens.training.sae_trainer import SAETrainer  # noqa: E402

D, F, B, K, STEPS = 8, 24, 16, 4, 8
GROUPS = (0.25, 0.25, 0.5)
WARMUP, DECAY_START, SPARSITY_WARMUP = 2, 6, 3  # steps
SILENT = 3  # steps after which a latent is dead
AGREE = 1e-4  # of the float32 run, in learning rates
FOLDER = pathlib.Path(__file__).with_name("fixtures") / "tool_steps"


class Learned:
    """A trainer of dictionary_learning, as trainSAE drives it with normalize_activations."""

    told = {}  # metadata beside that of every case

    def __init__(self, make, names, lr, **options):
        self.make, self.names, self.lr, self.options = make, names, lr, options

    def build(self, dtype, rows):
        torch.manual_seed(0)
        self.trainer = self.make(steps=STEPS, activation_dim=D, dict_size=F, layer=0, lm_name="none", lr=self.lr,
                                 warmup_steps=WARMUP, decay_start=DECAY_START, seed=0, device="cpu", **self.options)
        self.trainer.dead_feature_threshold = SILENT * B
        self.module = self.trainer.ae.to(dtype)
        self.factor = 1 / math.sqrt(float((rows[0]**2).sum(1).mean()))
        self.taken = 0

    def start_b_dec(self, x):
        """What the first step would replace b_dec by."""
        median = getattr(sys.modules[type(self.trainer).__module__], "geometric_median", None)
        median = median or getattr(self.trainer, "geometric_median", None)
        return None if median is None else median(x)

    def step(self, raw):
        self.trainer.update(self.taken, raw * self.factor)
        self.taken += 1

    def threshold(self):
        return getattr(self.module, "threshold", torch.tensor(0.0))


class Lens:
    """A training SAE of SAELens in its trainer, with the scaling of its runner."""

    told = {}

    def __init__(self, kind, names, lr, **options):
        self.kind, self.names, self.lr, self.options = kind, names, lr, options

    def build(self, dtype, rows):
        torch.manual_seed(0)
        config = getattr(sae_lens, self.kind + "Config")(
            d_in=D, d_sae=F, dtype=str(dtype).replace("torch.", ""),
            normalize_activations="expected_average_only_in", **self.options)
        self.module = getattr(sae_lens, self.kind)(config)
        self.trainer = SAETrainer(sae=self.module, data_provider=iter(()), cfg=SAETrainerConfig(
            total_training_samples=STEPS * B, train_batch_size_samples=B, lr=self.lr, lr_end=self.lr,
            lr_warm_up_steps=0, lr_decay_steps=0, dead_feature_window=SILENT))
        self.factor = math.sqrt(D) / float(rows[0].norm(dim=1).mean())
        self.trainer.activation_scaler.scaling_factor = self.factor

    def start_b_dec(self, x):
        return None

    def step(self, raw):
        self.trainer.step(raw)
        self.trainer.n_training_steps += 1

    def threshold(self):
        return getattr(self.module, "topk_threshold", torch.tensor(0.0))


LINEAR = dict(W_enc="encoder.weight", W_dec="decoder.weight.T", b_enc="encoder.bias", b_dec="b_dec")
PLAIN = dict(W_enc="W_enc.T", W_dec="W_dec", b_enc="b_enc", b_dec="b_dec")
VANILLA = LINEAR | dict(b_dec="bias")
L1 = dict(sparsity_warmup_steps=SPARSITY_WARMUP)
FEW = dict(k=K, threshold_start_step=STEPS // 2)
PENALTIES = {"Lp": "lp-root", "Lp^p": "l1"}


def p_anneal(function):
    """An update of p after each step from the first on: it is 1 up to step 2, then 0.9, 0.8 … 0.5 in the last."""
    case = Learned(learning.PAnnealTrainer, VANILLA, 1e-2, initial_sparsity_penalty=0.1, sparsity_function=function,
                   anneal_start=1, n_sparsity_updates=STEPS, p_end=0.3, sparsity_queue_length=1, **L1)
    case.told = dict(p_start=3 / STEPS, p_updates=STEPS - 3, p_end=0.5, penalty=PENALTIES[function])
    return case


CASES = {
    "dictionary_learning-topk": Learned(learning.TopKTrainer, LINEAR, 8e-3, **FEW),
    "dictionary_learning-batchtopk": Learned(learning.BatchTopKTrainer, LINEAR, 8e-3, **FEW),
    "dictionary_learning-matryoshka": Learned(MatryoshkaBatchTopKTrainer, PLAIN, 8e-3,
                                              group_fractions=list(GROUPS), **FEW),
    "dictionary_learning-relu": Learned(learning.StandardTrainer, VANILLA, 1e-2, l1_penalty=0.1, **L1),
    "dictionary_learning-p_anneal": p_anneal("Lp^p"),
    "dictionary_learning-p_anneal, root": p_anneal("Lp"),
    "dictionary_learning-gated": Learned(learning.GatedSAETrainer, dict(
        W_enc="encoder.weight", W_dec="decoder.weight.T", b_enc="gate_bias", b_dec="decoder_bias", extra_0="r_mag",
        extra_1="mag_bias"), 5e-3, l1_penalty=0.1, **L1),
    "dictionary_learning-jumprelu": Learned(learning.JumpReluTrainer, PLAIN | dict(extra_0="threshold"), 7e-3,
                                            bandwidth=0.3, target_l0=K, sparsity_penalty=1.0, **L1),
    "saelens-topk": Lens("TopKTrainingSAE", PLAIN, 3e-3, k=K),
    "saelens-batchtopk": Lens("BatchTopKTrainingSAE", PLAIN, 3e-3, k=K),
    "saelens-matryoshka": Lens("MatryoshkaBatchTopKTrainingSAE", PLAIN, 3e-3, k=K, matryoshka_widths=[6, 12, 24]),
    "saelens-relu": Lens("StandardTrainingSAE", PLAIN, 3e-3, l1_coefficient=0.5, l1_warm_up_steps=SPARSITY_WARMUP),
    "saelens-gated": Lens("GatedTrainingSAE", PLAIN | dict(b_enc="b_gate", extra_0="r_mag", extra_1="b_mag"), 3e-3,
                          l1_coefficient=0.5, l1_warm_up_steps=SPARSITY_WARMUP),
    "saelens-jumprelu": Lens("JumpReLUTrainingSAE", PLAIN | dict(extra_0="threshold"), 3e-3, l0_coefficient=0.5,
                             jumprelu_bandwidth=0.3, l0_warm_up_steps=SPARSITY_WARMUP),
}


# Options of the trainers -> name in the metadata.
SPARSITY = dict(l1_penalty="sparsity", l1_coefficient="sparsity", sparsity_penalty="sparsity", l0_coefficient="sparsity",
                initial_sparsity_penalty="sparsity",
                bandwidth="bandwidth", jumprelu_bandwidth="bandwidth")


def tensor_of(module, name):
    """The parameter of that name; the last .T is not part of it."""
    plain = name.removesuffix(".T")
    for part in plain.split("."):
        module = getattr(module, part)
    return module.data.T if name != plain else module.data


def weights_of(case):
    return {name: tensor_of(case.module, own).detach().double().clone() for name, own in case.names.items()}


def put(case, weights):
    for name, own in case.names.items():
        target = tensor_of(case.module, own)
        target.copy_(weights[name].to(target.dtype))


def draw(case, start, seed):
    """Weights near those that the tool starts from, with what makes a difference: biases, latents that never fire."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def positive(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    w = {name: tensor.clone() for name, tensor in start.items()}
    w["W_enc"] = w["W_enc"] + 0.3 * w["W_enc"].norm(dim=1, keepdim=True) * normal(F, D) / D**0.5
    if isinstance(case, Lens):
        w["W_dec"] = w["W_dec"] * (0.5 + positive(F, 1))
    length = float(start["W_enc"].norm(dim=1).mean())
    w["b_enc"] = 0.2 * length * normal(F)
    w["b_enc"][::7] = -2.0 * length * (3 if isinstance(case, Lens) else 1)
    w["b_dec"] = 0.1 * normal(D)
    for name in ("extra_0", "extra_1"):
        if name in w:
            w[name] = w[name] + 0.3 * positive(F)
    rows = 2.0 * normal(STEPS, B, D) @ (normal(D, D) / D**0.5) + 0.5
    return {name: tensor.float().double() for name, tensor in w.items()}, rows.float().double()


def run(case, weights, rows, dtype):
    case.build(dtype, rows)
    drawn = weights_of(case)
    put(case, weights)
    b_dec = case.start_b_dec(rows[0].to(dtype) * case.factor)
    path = [weights_of(case)]
    if b_dec is not None:
        path[0]["b_dec"] = b_dec.double()
    for t in range(STEPS):
        case.step(rows[t].to(dtype))
        path.append(weights_of(case))
    return drawn, path, float(case.threshold()) if case.threshold().numel() == 1 else 0.0


def distance(a, b):
    return max(float((x[name] - y[name]).abs().max()) for x, y in zip(a, b) for name in x)


def lengths(rows):
    found = rows.norm(dim=1)
    assert float(found.max() - found.min()) <= 1e-6, found
    return float(found.mean())


def metadata(name, case, drawn, b_dec_moves, threshold):
    """Everything that is text for a safetensors header."""
    learned = isinstance(case, Learned)
    values = dict(
        preset=name.split(",")[0], scale=case.factor, encoder_norm=lengths(drawn["W_enc"]),
        decoder_norm=lengths(drawn["W_dec"]), bias=float(drawn["b_enc"].abs().max()),
        extra_start=float(drawn["extra_0"].mean()) if "extra_0" in drawn else 0.0, median=int(b_dec_moves),
        threshold=threshold, lr=case.lr, k=K, silent_rows=(SILENT if learned else SILENT + 1) * B,
        warmup=WARMUP / STEPS if learned else 0.0, decay_start=DECAY_START / STEPS if learned else 1.0,
        sparsity_warmup=SPARSITY_WARMUP / STEPS, groups=",".join(map(str, GROUPS)))
    for own, name in SPARSITY.items():
        if own in case.options:
            values[name] = case.options[own]
    values |= case.told
    return {name: value if isinstance(value, str) else repr(value) for name, value in values.items()}


def write_safetensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = tensor.numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(name, case):
    for seed in range(100):
        case.build(torch.float64, torch.ones(STEPS, B, D, dtype=torch.float64))
        weights, rows = draw(case, weights_of(case), seed)
        drawn, path, threshold = run(case, weights, rows, torch.float64)
        apart = distance(path, run(case, weights, rows, torch.float32)[1]) / case.lr
        if apart <= AGREE:
            break
    else:
        raise SystemExit(f"{name}: no draw keeps its distance")
    case.build(torch.float64, rows)
    moved = case.start_b_dec(rows[0]) is not None
    tensors = {"rows": rows} | {part: torch.stack([w[part] for w in path]) for part in path[0]}
    write_safetensors(FOLDER / f"{name.replace(', ', '-')}.safetensors", tensors,
                      metadata(name, case, drawn, moved, threshold))
    print(f"{name}: seed {seed}, float32 within {apart:.1e} of a learning rate")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        make(name, case)


if __name__ == "__main__":
    main()
