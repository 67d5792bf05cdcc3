"""The reference's stage 1 in scikit-learn: one Ridge per objective and penalty, on the whole matrix.

Fits every objective at one penalty and prints the seconds for all penalties: the fits cost the same.
"""
import json
import sys
import time

import numpy as np
from sklearn.linear_model import Ridge

N, H, K, patterns, penalties = (int(a) for a in sys.argv[1:6])
random = np.random.default_rng(0)
X = random.standard_normal((N, H), dtype=np.float32)
Y = X @ random.standard_normal((H, K), dtype=np.float32) / H**0.5 + random.standard_normal((N, K), dtype=np.float32)
pattern = np.arange(N) % patterns
start = time.perf_counter()
for k in range(K):
    rows = pattern == k % patterns
    Ridge(alpha=1.0, fit_intercept=False).fit(X[rows], Y[rows, k])
print(json.dumps({"seconds": (time.perf_counter() - start) * penalties}))
