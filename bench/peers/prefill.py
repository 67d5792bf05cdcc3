"""A Llama decoder in plain PyTorch modules, f32, random weights: hidden states of one conversation, all positions.

Prints {"version"} when it is ready, then {"seconds"} of one forward pass for every line read from standard input.
"""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

shape, T, threads = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
H, I, D = shape["hidden"], shape["intermediate"], shape["headSize"]
N, G = shape["heads"], shape["keyValueHeads"]
torch.set_num_threads(threads)
torch.manual_seed(0)
# A Debian without OpenBLAS multiplies matrices a hundred times more slowly; that is no peer.
torch.ones(256, 256) @ torch.ones(256, 256)
if not torch.backends.mkl.is_available() and not any(
    blas in line for line in open("/proc/self/maps") for blas in ("openblas", "libblis")
):
    sys.exit("prefill.py: PyTorch runs on the reference BLAS; install libopenblas0-pthread")


class RMSNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(H))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5))


def rotate(x, cos, sin):  # [N, T, D]
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


def attend(q, k, v, mask):  # [N, T, D]
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0]
    scores = q @ k.transpose(1, 2) * D**-0.5 + mask
    return scores.softmax(-1) @ v


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        linear = lambda a, b: nn.Linear(a, b, bias=False)
        self.q, self.k, self.v, self.o = linear(H, N * D), linear(H, G * D), linear(H, G * D), linear(N * D, H)
        self.gate, self.up, self.down = linear(H, I), linear(H, I), linear(I, H)
        self.norm1, self.norm2 = RMSNorm(), RMSNorm()

    def forward(self, x, cos, sin, mask):  # [T, H]
        y = self.norm1(x)
        heads = lambda z, n: z.view(T, n, D).transpose(0, 1)
        q, k = rotate(heads(self.q(y), N), cos, sin), rotate(heads(self.k(y), G), cos, sin)
        k, v = (z.repeat_interleave(N // G, 0) for z in (k, heads(self.v(y), G)))
        x = x + self.o(attend(q, k, v, mask).transpose(0, 1).reshape(T, N * D))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


with torch.no_grad():
    embedding = nn.Embedding(shape["vocabulary"], H)
    layers, final = nn.ModuleList(Layer() for _ in range(shape["layers"])), RMSNorm()
    angles = torch.outer(torch.arange(T), 500000 ** (-torch.arange(0, D, 2) / D)).repeat(1, 2)
    cos, sin = angles.cos(), angles.sin()
    mask = torch.full((T, T), float("-inf")).triu(1)
    ids = torch.randint(0, shape["vocabulary"], (T,))
    print(json.dumps({"version": f"PyTorch {torch.__version__}"}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        x = embedding(ids)
        for layer in layers:
            x = layer(x, cos, sin, mask)
        final(x)
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
