"""The reference's search for penalties with scipy: the first of its grid whose Spearman correlation is at most 0.03."""
import json
import sys
import time

import numpy as np
from scipy.stats import spearmanr

N, K = (int(a) for a in sys.argv[1:3])
random = np.random.default_rng(0)
length = random.standard_normal(N)
rewards = np.stack([random.standard_normal(N) + (0.1 + 0.03 * k) * length for k in range(K)], 1)
rewards[:, 4] = length
grid = [0, 0.01, 0.025, 0.05, 0.075] + [round(0.1 + 0.025 * i, 3) for i in range(3)] + [round(0.2 + 0.05 * i, 2) for i in range(16)]
start = time.perf_counter()
for k in range(K):
    for penalty in grid:
        if k != 4 and spearmanr(rewards[:, k] - penalty * length, length)[0] <= 0.03:
            break
print(json.dumps({"seconds": time.perf_counter() - start}))
