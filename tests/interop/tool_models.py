"""Models of every tool: how each is made, saved in its own layout, and what it computes.

A case is a function that saves a model into a folder and returns (path, encode, decode), where encode and decode are
the tool's own. The weights are not trained, but made such that every rule has something to decide: decoder rows are
centred rows of the dump, of different lengths, and biases and thresholds vary."""

import json
import math
import sys
import types

import numpy as np
import torch

# dictionary_learning imports nnsight for the buffer that runs a language model, which is not used here.
sys.modules.setdefault("nnsight", types.ModuleType("nnsight")).LanguageModel = object

from dictionary_learning import dictionary  # noqa: E402
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE  # noqa: E402
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE  # noqa: E402
from dictionary_learning.trainers.top_k import AutoEncoderTopK  # noqa: E402
from sae_lens.saes import batchtopk_sae, gated_sae, jumprelu_sae, matryoshka_batchtopk_sae  # noqa: E402
from sae_lens.saes import sae as saelens  # noqa: E402
from sae_lens.saes import standard_sae, topk_sae  # noqa: E402
from sparsify import SparseCoder  # noqa: E402
from sparsify.config import SparseCoderConfig  # noqa: E402

from tool_sizes import F, K  # noqa: E402


def parameters(rows, seed=0):
    rng = np.random.default_rng(seed)
    centre = rows.mean(0)
    chosen = rows[rng.choice(len(rows), F, replace=False)] - centre
    unit = chosen / np.linalg.norm(chosen, axis=1, keepdims=True)
    p = {"W_dec": unit * rng.uniform(0.5, 1.5, (F, 1)), "b_dec": centre, "W_enc": unit.T * rng.uniform(0.5, 1.5, F),
         "b_enc": -rng.uniform(0, 1.5, F), "threshold": rng.uniform(0.3, 2.0, F), "r_mag": rng.normal(0, 0.3, F),
         "b_mag": rng.uniform(-1, 0.5, F), "b_gate": -rng.uniform(0.5, 3.0, F)}
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in p.items()}


def layer_norm(x):
    """z, shift and scale: of d - 1, the constant added to the deviation and left out on the way back."""
    mean = x.mean(-1, keepdim=True)
    deviation = (x - mean).std(-1, keepdim=True)
    return (x - mean) / (deviation + 1e-5), mean, deviation


def constant_norm(x):
    scale = x.norm(dim=-1, keepdim=True) / math.sqrt(x.shape[-1])
    return x / scale, torch.zeros_like(scale), scale


def of_normalised_rows(norm, case):
    """A case whose parameters are made from normalised rows, since that is what its encoder sees."""
    case.norm = norm
    return case


def case_parameters(case, rows):
    norm = getattr(case, "norm", None)
    return parameters(norm(torch.tensor(rows))[0].numpy() if norm is not None else rows)


def undone(norm, encode, decode):
    """encode and decode of normalised rows as those of raw ones. decode is for the rows that encode saw last."""
    frame = {}

    def encode_raw(x):
        z, frame["shift"], frame["scale"] = norm(x)
        return encode(z)
    return encode_raw, lambda f: decode(f) * frame["scale"] + frame["shift"]


def fill(module, values):
    own = module.state_dict()
    for name, value in values.items():
        own[name] = value.reshape(own[name].shape).to(own[name].dtype)
    module.load_state_dict(own)
    return module.eval()


# SAELens


def lens_weights(p, *extra):
    return {name: p[name] for name in ("W_enc", "W_dec", "b_dec", *extra)}


def lens(make_class, make_config, extra=("b_enc",), inference=False, threshold=None, **settings):
    def case(folder, p):
        d = len(p["b_dec"])
        sae = fill(make_class(make_config(d_in=d, d_sae=F, **settings)), lens_weights(p, *extra))
        if threshold is not None:
            sae.topk_threshold = torch.tensor(threshold, dtype=torch.double)
        path = folder / "sae"
        (sae.save_inference_model if inference else sae.save_model)(path)
        if threshold is not None:  # BatchTopK over a batch is no function of a row: what is used is its inference form
            sae.save_inference_model(folder / "inference")
            sae = saelens.SAE.load_from_disk(folder / "inference")
        return path, sae.encode, sae.decode
    return case


def lens_before_6(architecture, config, extra=("b_enc",)):
    """The flat configuration that versions below 6 wrote; SAELens still reads it."""
    def case(folder, p):
        path = folder / "sae"
        path.mkdir()
        weights = lens_weights(p, *extra)
        from safetensors.torch import save_file
        save_file({name: t.contiguous() for name, t in weights.items()}, path / "sae_weights.safetensors")
        flat = {"d_in": len(p["b_dec"]), "d_sae": F, "dtype": "float32", "device": "cpu", "hook_point": "blocks.3.hook_resid_post",
                "hook_layer": 3, "model_name": "gpt2-small", "architecture": architecture, "context_size": 128,
                "dataset_path": "none", "normalize_activations": "none", **config}
        (path / "cfg.json").write_text(json.dumps(flat))
        sae = saelens.SAE.load_from_disk(path)
        return path, sae.encode, sae.decode
    return case


# sparsify


def sparsify_topk(folder, p):
    coder = SparseCoder(len(p["b_dec"]), SparseCoderConfig(num_latents=F, k=K))
    fill(coder, {"encoder.weight": p["W_enc"].T, "encoder.bias": p["b_enc"], "W_dec": p["W_dec"], "b_dec": p["b_dec"]})
    path = folder / "layers.3"
    coder.save_to_disk(path)
    return path, *sparsify_calls(coder)


def sparsify_calls(coder):
    def encode(x):
        kept = coder.encode(x)
        return torch.zeros(len(x), coder.num_latents).scatter_(1, kept.top_indices, kept.top_acts)
    return encode, lambda f: f @ coder.W_dec + coder.b_dec


# dictionary_learning

LINEAR = {"encoder.weight": lambda p: p["W_enc"].T, "decoder.weight": lambda p: p["W_dec"].T}


def learned(make, names, config=True, **trainer):
    def case(folder, p):
        values = {name: (source(p) if callable(source) else p[source] if isinstance(source, str) else
                         torch.tensor(source)) for name, source in names.items()}
        model = fill(make(len(p["b_dec"])), values)
        path = folder / "trainer_0"
        path.mkdir()
        torch.save(model.state_dict(), path / "ae.pt")
        if config:
            (path / "config.json").write_text(json.dumps(
                {"trainer": {"dict_class": type(model).__name__, "activation_dim": len(p["b_dec"]), "dict_size": F,
                             **trainer}, "buffer": {"ctx_len": 128}}))
        return path, model.encode, model.decode
    return case


GROUPS = [F // 8, F // 8, F // 4, F // 2]

LEARNED = {
    "AutoEncoder": learned(lambda d: dictionary.AutoEncoder(d, F), {**LINEAR, "encoder.bias": "b_enc", "bias": "b_dec"}),
    "AutoEncoderNew": learned(lambda d: dictionary.AutoEncoderNew(d, F),
                              {**LINEAR, "encoder.bias": "b_enc", "decoder.bias": "b_dec"}),
    "Gated": learned(lambda d: dictionary.GatedAutoEncoder(d, F),
                     {**LINEAR, "decoder_bias": "b_dec", "r_mag": "r_mag", "gate_bias": "b_gate", "mag_bias": "b_mag"}),
    "TopK": learned(lambda d: AutoEncoderTopK(d, F, K), {**LINEAR, "encoder.bias": "b_enc", "b_dec": "b_dec"}, k=K),
    "BatchTopK": learned(lambda d: BatchTopKSAE(d, F, K),
                         {**LINEAR, "encoder.bias": "b_enc", "b_dec": "b_dec", "threshold": 1.25}, k=K),
    "Matryoshka": learned(lambda d: MatryoshkaBatchTopKSAE(d, F, K, GROUPS),
                          {"W_enc": "W_enc", "W_dec": "W_dec", "b_enc": "b_enc", "b_dec": "b_dec", "threshold": 1.25}, k=K),
    "JumpReLU": learned(lambda d: dictionary.JumpReluAutoEncoder(d, F),
                        {name: name for name in ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")}),
}


# Layouts without a package: what their authors' code computes, from the same tensors.


def npz_of_gemma_scope(folder, p):
    path = folder / "params.npz"
    np.savez(path, **{name: p[name].numpy() for name in ("W_enc", "W_dec", "b_enc", "b_dec", "threshold")})

    def encode(x):
        pre = x @ p["W_enc"] + p["b_enc"]
        return torch.relu(pre) * (pre > p["threshold"])
    return path, encode, lambda f: f @ p["W_dec"] + p["b_dec"]


def gemma_scope_2(folder, p):
    from safetensors.torch import save_file
    names = {"w_enc": "W_enc", "w_dec": "W_dec", "b_enc": "b_enc", "b_dec": "b_dec", "threshold": "threshold"}
    save_file({to: p[name].contiguous() for to, name in names.items()}, folder / "params.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "jump_relu", "model_name": "gemma-v3-1b-pt"}))
    _, encode, decode = npz_of_gemma_scope(folder, p)
    (folder / "params.npz").unlink()
    return folder, encode, decode


def openai_relu(folder, p):
    path = folder / "autoencoder.pt"
    torch.save({"pre_bias": p["b_dec"], "encoder.weight": p["W_enc"].T.contiguous(), "latent_bias": p["b_enc"],
                "decoder.weight": p["W_dec"].T.contiguous(), "stats_last_nonzero": torch.zeros(F, dtype=torch.long),
                "activation": "ReLU", "activation_state_dict": {}}, path)
    return path, lambda x: torch.relu((x - p["b_dec"]) @ p["W_enc"] + p["b_enc"]), lambda f: f @ p["W_dec"] + p["b_dec"]


def openai_topk(folder, p, after="ReLU"):
    """Version 5 of the published ones: rows are layer-normed, which the file leaves to be known."""
    module, activation = torch.nn.Module(), torch.nn.Module()
    module.encoder, module.decoder = torch.nn.Linear(len(p["b_dec"]), F, False), torch.nn.Linear(F, len(p["b_dec"]), False)
    for name in ("pre_bias", "latent_bias"):
        module.register_parameter(name, torch.nn.Parameter(p["b_dec" if name == "pre_bias" else "b_enc"]))
    module.register_buffer("stats_last_nonzero", torch.zeros(F, dtype=torch.long))
    fill(module, {"encoder.weight": p["W_enc"].T, "decoder.weight": p["W_dec"].T})
    state, rule = module.state_dict(), activation.state_dict()
    rule.update(k=K, postact_fn=after)
    state.update(activation="TopK", activation_state_dict=rule)
    path = folder / "autoencoder.pt"
    torch.save(state, path)
    return path, *undone(layer_norm, *topk_calls(p))


def llama_scope(folder, p):
    """Scaled to a mean length of √d, with a threshold in units of the raw rows and decoder rows of length 1."""
    from safetensors.torch import save_file
    d, length, threshold = len(p["b_dec"]), 9.5, 0.4
    scale = math.sqrt(d) / length
    norm = p["W_dec"].norm(dim=1, keepdim=True)
    W_dec, b_dec = p["W_dec"] / norm, p["b_dec"] * scale
    (folder / "checkpoints").mkdir()
    save_file({"encoder.weight": p["W_enc"].T.contiguous(), "encoder.bias": p["b_enc"],
               "decoder.weight": W_dec.T.contiguous(), "decoder.bias": b_dec}, folder / "checkpoints/final.safetensors")
    (folder / "hyperparams.json").write_text(json.dumps({
        "d_model": d, "d_sae": F, "act_fn": "jumprelu", "jump_relu_threshold": threshold, "norm_activation": "dataset-wise",
        "dataset_average_activation_norm": {"in": length, "out": length}, "use_decoder_bias": True,
        "apply_decoder_bias_to_pre_encoder": False, "sparsity_include_decoder_norm": True,
        "hook_point_in": "blocks.3.hook_resid_post", "hook_point_out": "blocks.3.hook_resid_post"}))

    def encode(x):
        pre = scale * x @ p["W_enc"] + p["b_enc"]
        return torch.relu(pre) * (pre > threshold * scale)
    return folder, encode, lambda f: (f @ W_dec + b_dec) / scale


def topk_calls(p):
    def encode(x):
        kept = torch.topk((x - p["b_dec"]) @ p["W_enc"] + p["b_enc"], K)
        return torch.zeros(len(x), F).scatter_(1, kept.indices, torch.relu(kept.values))
    return encode, lambda f: f @ p["W_dec"] + p["b_dec"]


def batchtopk_topk(folder, p, input_unit_norm=False):
    torch.save({name: p[name] for name in ("W_enc", "W_dec", "b_enc", "b_dec")}, folder / "sae.pt")
    (folder / "config.json").write_text(json.dumps({"sae_type": "topk", "top_k": K, "act_size": len(p["b_dec"]),
                                                    "dict_size": F, "input_unit_norm": input_unit_norm}))
    return folder, *(undone(layer_norm, *topk_calls(p)) if input_unit_norm else topk_calls(p))


def batchtopk_unit_norm(folder, p):
    return batchtopk_topk(folder, p, input_unit_norm=True)


CASES = {
    "saelens standard": lens(standard_sae.StandardSAE, standard_sae.StandardSAEConfig),
    "saelens standard, b_dec not at the input": lens(standard_sae.StandardSAE, standard_sae.StandardSAEConfig,
                                                     apply_b_dec_to_input=False),
    "saelens topk": lens(topk_sae.TopKSAE, topk_sae.TopKSAEConfig, k=K),
    "saelens topk by decoder norm": lens(topk_sae.TopKSAE, topk_sae.TopKSAEConfig, k=K, rescale_acts_by_decoder_norm=True),
    "saelens jumprelu": lens(jumprelu_sae.JumpReLUSAE, jumprelu_sae.JumpReLUSAEConfig, ("b_enc", "threshold"),
                             apply_b_dec_to_input=False),
    "saelens gated": lens(gated_sae.GatedSAE, gated_sae.GatedSAEConfig, ("b_gate", "b_mag", "r_mag")),
    "saelens gated, b_dec not at the input": lens(gated_sae.GatedSAE, gated_sae.GatedSAEConfig,
                                                  ("b_gate", "b_mag", "r_mag"), apply_b_dec_to_input=False),
    "saelens batchtopk, as trained": lens(batchtopk_sae.BatchTopKTrainingSAE, batchtopk_sae.BatchTopKTrainingSAEConfig, k=K,
                                          threshold=1.1),
    "saelens batchtopk, for inference": lens(batchtopk_sae.BatchTopKTrainingSAE, batchtopk_sae.BatchTopKTrainingSAEConfig,
                                             k=K, threshold=1.1, inference=True),
    "saelens matryoshka, as trained": lens(matryoshka_batchtopk_sae.MatryoshkaBatchTopKTrainingSAE,
                                           matryoshka_batchtopk_sae.MatryoshkaBatchTopKTrainingSAEConfig, k=K,
                                           matryoshka_widths=[F // 4, F], threshold=1.1),
    "saelens before 6, relu": lens_before_6("standard", {"activation_fn_str": "relu"}),
    "saelens before 6, topk": lens_before_6("standard", {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}}),
    "saelens before 6, jumprelu": lens_before_6("jumprelu", {"apply_b_dec_to_input": False, "normalize_activations": False},
                                                ("b_enc", "threshold")),
    "sparsify topk": sparsify_topk,
    **{f"dictionary_learning {name}": case for name, case in LEARNED.items()},
    "gemma scope npz": npz_of_gemma_scope,
    "gemma scope 2": gemma_scope_2,
    "openai relu": openai_relu,
    "llama scope": llama_scope,
    "batchtopk topk": batchtopk_topk,
    **{name: of_normalised_rows(norm, case) for name, norm, case in (
        ("saelens standard, constant norm", constant_norm, lens(
            standard_sae.StandardSAE, standard_sae.StandardSAEConfig, normalize_activations="constant_norm_rescale")),
        ("saelens topk, layer norm", layer_norm, lens(
            topk_sae.TopKSAE, topk_sae.TopKSAEConfig, k=K, normalize_activations="layer_norm")),
        ("saelens jumprelu, layer norm", layer_norm, lens(
            jumprelu_sae.JumpReLUSAE, jumprelu_sae.JumpReLUSAEConfig, ("b_enc", "threshold"), apply_b_dec_to_input=False,
            normalize_activations="layer_norm")),
        ("saelens gated, constant norm", constant_norm, lens(
            gated_sae.GatedSAE, gated_sae.GatedSAEConfig, ("b_gate", "b_mag", "r_mag"),
            normalize_activations="constant_norm_rescale")),
        ("saelens before 6, layer norm", layer_norm, lens_before_6(
            "standard", {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}, "normalize_activations": "layer_norm"})),
        ("openai topk", layer_norm, openai_topk),
        ("batchtopk unit norm", layer_norm, batchtopk_unit_norm),
    )},
}


# The way back: a model that libsae wrote, loaded by the tool's own loader.


def load_saelens(path):
    sae = saelens.SAE.load_from_disk(path)
    return sae.encode, sae.decode


def load_sparsify(path):
    return sparsify_calls(SparseCoder.load_from_disk(path))


def load_dictionary_learning(path):
    kind = json.loads((path / "config.json").read_text())["trainer"]["dict_class"]
    make = AutoEncoderTopK if kind == "AutoEncoderTopK" else getattr(dictionary, kind)
    # AutoEncoder's loader gives decoder rows the length 1 unless it is told to leave them.
    options = {"normalize_decoder": False} if kind == "AutoEncoder" else {}
    model = make.from_pretrained(str(path / "ae.pt"), **options)
    return model.encode, model.decode


def load_npz(path):
    z = {name: torch.tensor(value) for name, value in np.load(path).items()}

    def encode(x):
        pre = x @ z["W_enc"] + z["b_enc"]
        if "k" in z:
            kept = torch.topk(torch.relu(pre), int(z["k"]))
            return torch.zeros_like(pre).scatter_(1, kept.indices, kept.values)
        if "r_mag" in z:
            return torch.relu(x @ (z["W_enc"] * z["r_mag"].exp()) + z["b_mag"]) * (pre > 0)
        return torch.relu(pre) * (pre > z["threshold"])
    return encode, lambda f: f @ z["W_dec"] + z["b_dec"]


LOADERS = {"saelens": load_saelens, "sparsify": load_sparsify, "dictionary_learning": load_dictionary_learning,
           "npz": load_npz}
EXPORTED = {"relu": "saelens standard", "topk": "saelens topk by decoder norm", "jumprelu": "saelens jumprelu",
            "gated": "saelens gated"}
# Only SAELens has a place for a norm of each row.
NORMALISED = {"topk, layer norm": "openai topk", "relu, constant norm": "saelens standard, constant norm",
              "jumprelu, layer norm": "saelens jumprelu, layer norm", "gated, constant norm": "saelens gated, constant norm"}
