"""One training step of the gate in PyTorch: 4096 -> 1024 x 3 -> 19, batch 1024, forward, backward, AdamW.

Prints the median seconds of a step, for the gate once per pair and twice per pair as the reference code does.
"""
import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, softmax

steps = int(sys.argv[1])
H, K, B, D = 4096, 19, 1024, 1024
torch.manual_seed(0)
torch.set_num_threads(int(sys.argv[2]))
gate = nn.Sequential(nn.Linear(H, D), nn.ReLU(), nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D), nn.ReLU(), nn.Linear(D, K))
optimizer = torch.optim.AdamW(gate.parameters(), lr=1e-3, weight_decay=0)
prompts, rewards = torch.randn(4096, H), torch.randn(4096, 2, K)


def step(twice):
    optimizer.zero_grad()
    rows = torch.randint(0, 4096, (B,))
    x = prompts[rows]
    if twice:
        x = torch.stack([x, x], 1)
    g = softmax(gate(x) / 10, dim=-1)
    score = (rewards[rows] * (g if twice else g[:, None])).sum(-1)
    loss = binary_cross_entropy_with_logits(score[:, 0] - score[:, 1], torch.ones(B))
    loss.backward()
    optimizer.step()
    return loss.item()


def median(twice):
    step(twice)
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step(twice)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


print(json.dumps({"once": median(False), "twice": median(True)}))
