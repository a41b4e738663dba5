"""The hook of examples/python on a toy module, with files that the command wrote. Skipped where torch is missing.

    python3 test_steering_hook.py FOLDER_OF_THE_HOOK SAE MODEL DUMP
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

folder, sae, model, dump = sys.argv[1:]
try:
    import torch
except ImportError:
    print("skipped: torch is not installed")
    sys.exit(77)
sys.dont_write_bytecode = True
sys.path.insert(0, folder)
from steering_hook import load_steering, row_scale, steering_hook  # noqa: E402


def steered(steering, x, **options):
    layer = torch.nn.Identity()
    handle = layer.register_forward_hook(steering_hook(steering, **options))
    out = layer(x)
    handle.remove()
    assert torch.equal(layer(x), x)
    return out


def normalising(path, norm):
    """The model with another norm of rows in its metadata."""
    data = Path(model).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header["__metadata__"]["row_norm"] = norm
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size:])
    return path


with tempfile.TemporaryDirectory() as scratch:
    def write(name, *options, of=model):
        path = Path(scratch) / name
        subprocess.run([sae, "steer", of, "-o", path, *options], check=True, stdout=subprocess.DEVNULL)
        return load_steering(path)

    add = write("add.safetensors", "--latent", "1648", "--measure", dump)
    out = write("out.safetensors", "--latent", "1648,884", "--op", "project-out")
    clamp = write("clamp.safetensors", "--latent", "1648", "--op", "clamp", "--strength", "2")
    scaled = [write(f"{norm}.st.safetensors", "--latent", "1648", "--strength", "2", of=normalising(
        Path(scratch) / f"{norm}.safetensors", norm)) for norm in ("layer_norm", "constant_norm")]

x = torch.randn(5, 128, generator=torch.Generator().manual_seed(0))
assert add.layer == 1 and add.meta["hook"] == "blocks.1.hook_resid_post", add.meta
assert add.meta["steering_strength"] == add.meta["recommended_strength"]
assert abs(add.direction.norm().item() - 1) < 1e-6
mean_norm, strength = float(add.meta["steering_mean_norm"]), float(add.meta["steering_strength"])
torch.testing.assert_close(steered(add, x) - x, (strength * mean_norm * add.direction).expand(5, -1), atol=2e-6, rtol=0)
torch.testing.assert_close(steered(add, x, strength=-0.5) - x, (-0.5 * mean_norm * add.direction).expand(5, -1),
                           atol=2e-6, rtol=0)
assert out.basis.shape == (2, 128)
rest = steered(out, x)
torch.testing.assert_close(rest @ out.decoder.T, torch.zeros(5, 2), atol=1e-5, rtol=0)
torch.testing.assert_close(x - rest, (x @ torch.linalg.pinv(out.decoder)) @ out.decoder, atol=1e-5, rtol=0)
# An activation is worth the scale of the row that it is added to.
for steering, scale in zip(scaled, (x.std(-1, keepdim=True), (x * x).mean(-1, keepdim=True).sqrt())):
    torch.testing.assert_close(row_scale(x, steering.meta["steering_row_norm"]), scale)
    torch.testing.assert_close(steered(steering, x) - x, 2 * scale * steering.direction, atol=2e-6, rtol=1e-6)
pair = torch.nn.Module()
pair.forward = lambda value: (value, "cache")
pair.register_forward_hook(steering_hook(add))
assert pair(x)[1] == "cache" and torch.equal(pair(x)[0], steered(add, x))
try:
    steering_hook(clamp)
    raise AssertionError("clamp needs the whole model")
except ValueError as error:
    assert "whole model" in str(error)
print("hooks agree")
