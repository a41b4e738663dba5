"""sparsify's SparseCoder in the step of its trainer, which itself wants a language model: embedding-bag decode, sparse
encoder gradient. Adam, one of its three optimisers, so that the work is that of the others."""

import os

os.environ.setdefault("SPARSIFY_DISABLE_TRITON", "1")

import torch  # noqa: E402
from sparsify import SparseCoder, SparseCoderConfig  # noqa: E402


class Tool:
    def __init__(self, problem, sample):
        assert problem.arch == "topk"
        torch.manual_seed(problem.seed)
        self.sae = SparseCoder(problem.d, SparseCoderConfig(num_latents=problem.n_latents, k=problem.k))
        self.sae.b_dec.data = torch.from_numpy(sample).mean(0)
        self.adam = torch.optim.Adam(self.sae.parameters(), lr=problem.lr)
        warmup = max(problem.in_steps(problem.warmup), 1)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.adam, lambda step: min(step / warmup, 1.0))
        self.silent = torch.zeros(problem.n_latents, dtype=torch.long)

    def step(self, batch):
        self.sae.set_decoder_norm_to_unit_norm()
        out = self.sae(torch.from_numpy(batch))
        out.fvu.backward()
        self.sae.remove_gradient_parallel_to_decoder_directions()
        self.adam.step()
        self.adam.zero_grad()
        self.schedule.step()
        self.silent += len(batch)
        self.silent[out.latent_indices.flatten().unique()] = 0

    def finish(self):
        self.sae.set_decoder_norm_to_unit_norm()

    @torch.no_grad()
    def reconstruct(self, x):
        values, indices, pre = self.sae.encode(torch.from_numpy(x))
        active = torch.zeros_like(pre, dtype=torch.bool).scatter_(1, indices, values > 0)
        return self.sae.decode(values, indices).numpy(), active.numpy()
