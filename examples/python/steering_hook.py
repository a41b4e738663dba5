"""A PyTorch hook that steers a layer with a file of `sae steer ... -o FILE.safetensors`.

    steer = load_steering("persona.safetensors")
    handle = network.layers[steer.layer].register_forward_hook(steering_hook(steer))
    ...
    handle.remove()

strength overrides that of the file, in the same unit; below 0 pushes away. An SAE that normalises rows has activations in
units of each row's scale, and so has a strength in them. Operations: add and project-out. clamp and
ablate need the activations of the SAE, hence the whole model.
"""

import json
from types import SimpleNamespace

import torch


def load_steering(path):
    with open(path, "rb") as file:  # safetensors: the length of a JSON header, the header, the bytes
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    meta = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(data[begin:end], dtype=torch.float32).reshape(entry["shape"])
    return SimpleNamespace(meta=meta, layer=int(meta.get("layer", -1)), **tensors)


def row_scale(x, norm):
    """What the SAE divided a row by, in the last dimension of x."""
    if norm == "layer_norm":
        return x.float().std(-1, keepdim=True).to(x)
    if norm == "constant_norm":
        return (x.float().norm(dim=-1, keepdim=True) / x.shape[-1] ** 0.5).to(x)
    if norm != "none":
        raise ValueError(f"{norm} is no norm of rows that this hook knows")
    return 1.0


def steering_hook(steering, strength=None):
    meta = steering.meta
    if meta["steering_op"] not in ("add", "project-out"):
        raise ValueError(f"{meta['steering_op']} needs the whole model: only add and project-out work in a hook")
    if meta["steering_op"] == "add":
        strength = float(meta["steering_strength"]) if strength is None else strength
        unit = float(meta["steering_mean_norm"]) if meta["steering_strength_unit"] == "mean_norm" else 1.0

    def change(x):
        if meta["steering_op"] == "add":
            return x + row_scale(x, meta.get("steering_row_norm", "none")) * (strength * unit * steering.direction).to(x)
        basis = steering.basis.to(x)
        return x - (x @ basis.T) @ basis

    def hook(module, inputs, output):  # blocks of many networks return a tuple whose first entry is the stream
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    return hook
