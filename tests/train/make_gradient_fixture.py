#!/usr/bin/env python3
"""Writes gradient.safetensors: one batch of the TopK SAE with AuxK, its loss and its gradients by PyTorch autograd.

Needs torch. The loss is that of libsae/train/objective.h, written independently of it: dense tensors, torch.topk,
detach for the constants. The projection of the decoder gradient is applied here too.
"""
import json
import pathlib
import struct

import torch

D, F, K, K_AUX, ROWS, SCALE, AUX = 12, 40, 4, 3, 300, 0.7, 1 / 32
torch.manual_seed(1)
x = torch.randn(ROWS, D, dtype=torch.float64) @ torch.randn(D, D, dtype=torch.float64)
W_enc = torch.randn(F, D, dtype=torch.float64)
W_dec = torch.nn.functional.normalize(torch.randn(F, D, dtype=torch.float64), dim=1)
b_enc = 0.1 * torch.randn(F, dtype=torch.float64)
b_dec = 0.3 * torch.randn(D, dtype=torch.float64)
dead = torch.zeros(F, dtype=torch.bool)
dead[torch.tensor([1, 7, 8, 20, 33])] = True
# float32 is what the library stores: start from numbers that it represents exactly.
x, W_enc, W_dec, b_enc, b_dec = (t.float().double() for t in (x, W_enc, W_dec, b_enc, b_dec))
scale = float(torch.tensor(SCALE, dtype=torch.float32))
params = [p.requires_grad_() for p in (W_enc, W_dec, b_enc, b_dec)]

xc = scale * x - b_dec
pre = xc @ W_enc.T + b_enc
top = torch.relu(pre).topk(K, dim=1)
f = torch.zeros_like(pre).scatter(1, top.indices, top.values)
e = xc - f @ W_dec
loss = (e**2).sum() / ROWS
e_fixed = e.detach()
aux_top = pre.masked_fill(~dead, -torch.inf).topk(K_AUX, dim=1)
a = torch.zeros_like(pre).scatter(1, aux_top.indices, aux_top.values)
aux = ((e_fixed - a @ W_dec) ** 2).sum() / ((e_fixed - e_fixed.mean(0)) ** 2).sum()
grads = torch.autograd.grad(loss + AUX * aux, params)
g_dec = grads[1] - (grads[1] * W_dec).sum(1, keepdim=True) * W_dec
tensors = {
    "x": x, "W_enc": W_enc, "W_dec": W_dec, "b_enc": b_enc, "b_dec": b_dec,
    "g_W_enc": grads[0], "g_W_dec": g_dec, "g_b_enc": grads[2], "g_b_dec": grads[3],
    "losses": torch.stack([loss.detach(), aux.detach()]),
    "dead": dead.nonzero().flatten().double(),
}
header, data = {}, b""
for name, tensor in tensors.items():
    raw = tensor.detach().double().numpy().astype("<f8").tobytes()
    header[name] = {"dtype": "F64", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
out = pathlib.Path(__file__).with_name("gradient.safetensors")
out.write_bytes(struct.pack("<Q", len(text)) + text + data)
