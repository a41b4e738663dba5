"""Writes tests/dump/fixtures: the same rows as a store of raw shards and as folders of chunks.

Row i of 90 is [i, 2 i, -i, 0.5], token 1000 + 3 i; sequences begin at rows 0, 7, 7, 40 and 64. Needs numpy and
torch. Run from the root of the repository; the results are committed.
"""
import json
import os

import numpy as np
import torch

ROWS, D, STARTS = 90, 4, [0, 7, 7, 40, 64]
HERE = os.path.join("tests", "dump", "fixtures")

row = np.arange(ROWS)
ROWS_F4 = np.stack([row, 2 * row, -row, np.full(ROWS, 0.5)], 1).astype("<f4")
TOKENS = torch.from_numpy(1000 + 3 * row)


def store(name, torch_dtype, cuts):
    """As dictionary_learning's cache: bfloat16 as 16-bit integers, tokens and sequences in the folder above."""
    folder = f"{HERE}/{name}/layer_3_out"
    os.makedirs(folder, exist_ok=True)
    values = torch.from_numpy(ROWS_F4).to(torch_dtype)
    for i, (a, b) in enumerate(zip(cuts, cuts[1:])):
        part = values[a:b].contiguous()
        raw = part.view(torch.int16).numpy() if torch_dtype == torch.bfloat16 else part.numpy()
        raw.tofile(f"{folder}/shard_{i}.memmap")
        with open(f"{folder}/shard_{i}.meta", "w") as f:
            json.dump({"shape": [b - a, D], "dtype": str(torch_dtype)}, f)
    with open(f"{folder}/config.json", "w") as f:
        json.dump({"batch_size": 8, "context_len": 64, "shard_size": 8, "d_model": D, "shuffle_shards": False, "io": "out",
                   "total_size": ROWS, "shard_count": len(cuts) - 1, "store_tokens": True, "store_sequence_ranges": True}, f)
    torch.save(TOKENS, f"{HERE}/{name}/tokens.pt")
    torch.save(torch.tensor(STARTS + [ROWS]), f"{HERE}/{name}/sequence_ranges.pt")


def chunks(name, positions, suffix):
    """Chunks of [sequence, position, d]; the mask tells padding. 90 rows in sequences of up to `positions`."""
    os.makedirs(f"{HERE}/{name}", exist_ok=True)
    n = -(-ROWS // positions)
    activation = np.full((n * positions, D), 99, "<f4")
    tokens, mask = np.zeros(n * positions, "<i8"), np.zeros(n * positions, bool)
    activation[:ROWS], tokens[:ROWS], mask[:ROWS] = ROWS_F4, TOKENS.numpy(), True
    for i, start in enumerate(range(0, n, 2)):
        part = slice(start * positions, min(start + 2, n) * positions)
        chunk = {"activation": activation[part].reshape(-1, positions, D), "tokens": tokens[part].reshape(-1, positions),
                 "mask": mask[part].reshape(-1, positions)}
        tensors = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in chunk.items()}
        path = f"{HERE}/{name}/chunk-{i}.{suffix}"  # chunk-10 follows chunk-9
        if suffix == "pt":
            torch.save(tensors, path)
        else:
            from safetensors.torch import save_file
            save_file(tensors, path)


store("store_bf16", torch.bfloat16, [0, 8, 8 + 33, 90])
store("store_f2", torch.float16, [0, 7, 14, 21, 28, 35, 42, 49, 56, 63, 70, 77, 90])  # shard_10 follows shard_9
chunks("chunks_pt", 4, "pt")
chunks("chunks_safetensors", 40, "safetensors")
