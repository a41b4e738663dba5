"""The product x W_enc alone in fp32: the unit of the column over_gemm."""

import torch


class Tool:
    def __init__(self, problem, sample):
        self.W = torch.randn(problem.d, problem.n_latents)
        self.out = torch.empty(problem.batch, problem.n_latents)

    def step(self, batch):
        torch.mm(torch.from_numpy(batch), self.W, out=self.out)
