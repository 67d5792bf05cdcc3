import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { pearson } from "../../src/armo/pearson.ts";
import { fitRewardTransform } from "../../src/armo/reward-transform.ts";
import { spearman } from "../../src/armo/spearman.ts";
import { readSafetensors, toFloat64 } from "../../src/checkpoint/safetensors.ts";
import { createRandom } from "../../src/random.ts";

interface Exact {
  status: string;
  lambda_zero_crossing: number;
  lambda_nonnegative: number;
  min_abs_corr: number;
  corr_at_lambda_0: number | null;
}
interface GoldenSet {
  name: string;
  file: string;
  objectives: number;
  verbosity_index: number;
  grid_penalties: number[];
  grid_corr: number[];
  grid_transform_matrix_row_verbosity: number[];
  exact: Exact[];
}

const golden = new URL("../golden/debias/", import.meta.url).pathname;
const { sets } = JSON.parse(readFileSync(`${golden}expected.json`, "utf8")) as { sets: GoldenSet[] };
const rewardsOf = async (set: GoldenSet) =>
  toFloat64((await readSafetensors(golden + set.file)).get("rewards")!);

describe.each(sets)("on the golden set $name", (set) => {
  const options = { numObjectives: set.objectives, targets: [set.verbosity_index] };
  const K = set.objectives;

  it("repeats the reference's penalties and correlations by grid", async () => {
    const fit = fitRewardTransform(await rewardsOf(set), { ...options, method: "grid" });
    expect(Array.from(fit.penalties)).toEqual(set.grid_penalties);
    const row = fit.transform.subarray(set.verbosity_index * K, (set.verbosity_index + 1) * K);
    row.forEach((value, k) => {
      expect(value).toBeCloseTo(set.grid_transform_matrix_row_verbosity[k]!, 15);
    });
    fit.correlationsAfter.forEach((correlation, k) => {
      expect(Math.abs(correlation - set.grid_corr[k]!)).toBeLessThan(1e-12);
    });
  });

  it("names every objective that never passes the grid", async () => {
    const fit = fitRewardTransform(await rewardsOf(set), { ...options, method: "grid" });
    fit.status.forEach((status, k) => {
      const passed = set.grid_corr[k]! <= 0.03;
      expect(status).toBe(k === set.verbosity_index ? "target" : passed ? "ok" : "not-reached");
    });
  });

  it.each([
    ["with penalties that may not be negative", false],
    ["with signed penalties", true],
  ])("finds the exact crossing by root, %s", async (_, signed) => {
    const rewards = await rewardsOf(set);
    const fit = fitRewardTransform(rewards, { ...options, signed });
    set.exact.forEach((exact, k) => {
      if (exact.status !== "ok") {
        expect(fit.status[k]).not.toBe("ok");
        return;
      }
      expect(fit.status[k]).toBe("ok");
      const expected = signed ? exact.lambda_zero_crossing : exact.lambda_nonnegative;
      expect(Math.abs(fit.penalties[k]! - expected)).toBeLessThan(2e-6);
      expect(Math.abs(fit.correlationsBefore[k]! - exact.corr_at_lambda_0!)).toBeLessThan(1e-12);
    });
  });

  it("reports the correlations that the transform really leaves", async () => {
    const rewards = await rewardsOf(set);
    const fit = fitRewardTransform(rewards, options);
    const columns = applyTransform(rewards, fit.transform, K);
    const target = columnOf(rewards, K, set.verbosity_index);
    columns.forEach((column, k) => {
      if (fit.status[k] !== "ok") return;
      expect(fit.correlationsAfter[k]).toBeCloseTo(spearman(column, target), 12);
      expect(fit.correlationsAfter[k]!).toBeLessThanOrEqual(0.03);
    });
    expect(columns[set.verbosity_index]!.every((value) => value === 0)).toBe(true);
  });
});

describe("objectives without a solution", () => {
  it("are named and keep their rewards", () => {
    const target = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
    const rewards = target.flatMap((value, n) => [
      value,
      0.5 * value,
      7,
      n === 2 ? Number.NaN : n,
      value + n,
    ]);
    const fit = fitRewardTransform(rewards, { numObjectives: 5, targets: [0], threshold: 0.2 });
    expect(fit.status).toEqual(["target", "jump", "constant", "not-finite", "ok"]);
    for (const k of [1, 2, 3]) {
      expect(fit.penalties[k]).toBe(0);
      expect(fit.transform[k * 5 + k]).toBe(1);
    }
    expect(fit.correlationsAfter[1]).toBeCloseTo(1, 12);
  });

  it("are all of them where the target is constant", () => {
    const fit = fitRewardTransform([1, 5, 2, 5, 3, 5], { numObjectives: 2, targets: [1] });
    expect(fit.status).toEqual(["constant-target", "target"]);
  });
});

describe("the penalty", () => {
  const rewards = correlatedRewards(20_000);

  it("does not depend on the order of the rows or on shifts of the rewards", () => {
    const options = { numObjectives: 4, targets: [1] };
    const fit = fitRewardTransform(rewards, options);
    const reversed = Float64Array.from(
      rewards.keys(),
      (i) => rewards[rewards.length - 4 - 4 * Math.floor(i / 4) + (i % 4)]!,
    );
    const shifted = rewards.map((value, i) => value + (i % 4));
    for (const other of [reversed, shifted]) {
      fitRewardTransform(other, options).penalties.forEach((penalty, i) => {
        expect(Math.abs(penalty - fit.penalties[i]!)).toBeLessThan(2e-6);
      });
    }
  });

  it("scales with the rewards, however small they are", () => {
    const options = { numObjectives: 4, targets: [1] };
    const fit = fitRewardTransform(rewards, options);
    const tiny = rewards.map((value, i) => (i % 4 === 0 ? value * 2 ** -30 : value));
    const scaled = fitRewardTransform(tiny, options).penalties[0]!;
    expect(Math.abs(scaled * 2 ** 30 - fit.penalties[0]!)).toBeLessThan(2e-6);
  });
});

describe("several targets", () => {
  const K = 4;
  const rewards = correlatedRewards(3000);

  it("are all taken out at once", () => {
    const fit = fitRewardTransform(rewards, { numObjectives: K, targets: [1, 2], signed: true });
    expect(fit.status).toEqual(["ok", "target", "target", "ok"]);
    const columns = applyTransform(rewards, fit.transform, K);
    for (const [i, v] of [1, 2].entries()) {
      for (const k of [0, 3]) {
        const before = spearman(columnOf(rewards, K, k), columnOf(rewards, K, v));
        const after = spearman(columns[k]!, columnOf(rewards, K, v));
        expect(Math.abs(before)).toBeGreaterThan(0.1);
        expect(Math.abs(after)).toBeLessThan(1e-3);
        expect(fit.correlationsAfter[i * K + k]).toBeCloseTo(after, 12);
      }
      expect(columns[v]!.every((value) => value === 0)).toBe(true);
    }
  });

  it("never get a penalty below zero by default, and leave no positive correlation", () => {
    const fit = fitRewardTransform(rewards, { numObjectives: K, targets: [1, 2] });
    expect(fit.penalties.every((penalty) => penalty >= 0)).toBe(true);
    for (const k of [0, 3]) {
      expect(fit.status[k]).toBe("ok");
      expect(fit.correlationsAfter[k]!).toBeLessThan(1e-3);
      expect(fit.correlationsAfter[K + k]!).toBeLessThan(1e-3);
    }
  });

  it("name an objective that is made of them", () => {
    const made = rewards.slice();
    for (let n = 0; n < 3000; n++) made[n * K] = made[n * K + 1]! + 0.5 * made[n * K + 2]!;
    const fit = fitRewardTransform(made, { numObjectives: K, targets: [1, 2], signed: true });
    expect(fit.status[0]).toBe("no-joint-solution");
    expect(fit.status[3]).toBe("ok");
    expect(fit.penalties[0]).toBe(0);
  });
});

describe("Pearson's correlation", () => {
  const K = 4;
  const rewards = correlatedRewards(3000);

  it("is taken out of every objective by the ratio of covariance and variance", () => {
    const fit = fitRewardTransform(rewards, {
      numObjectives: K,
      targets: [1],
      correlation: "pearson",
      signed: true,
    });
    const target = columnOf(rewards, K, 1);
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const covariance = (a: Float64Array, b: Float64Array) =>
      mean(a.map((value, n) => (value - mean(a)) * (b[n]! - mean(b))));
    for (const k of [0, 2, 3]) {
      const exact = covariance(columnOf(rewards, K, k), target) / covariance(target, target);
      expect(fit.penalties[k]).toBeCloseTo(exact, 12);
      expect(fit.status[k]).toBe("ok");
      expect(Math.abs(pearson(applyTransform(rewards, fit.transform, K)[k]!, target))).toBeLessThan(1e-13);
    }
    expect(fit.correlationsBefore[0]).toBeCloseTo(pearson(columnOf(rewards, K, 0), target), 12);
  });

  it("is taken out for several targets at once, also where one is made of the others", () => {
    const wide = new Float64Array((rewards.length / K) * 5);
    for (let n = 0; n < rewards.length / K; n++) {
      wide.set(rewards.subarray(n * K, n * K + K), n * 5);
      wide[n * 5 + 4] = 2 * rewards[n * K + 1]! - rewards[n * K + 2]!;
    }
    for (const targets of [
      [1, 2],
      [1, 2, 4],
    ]) {
      const options = { numObjectives: 5, targets, correlation: "pearson" as const, signed: true };
      const fit = fitRewardTransform(wide, options);
      const columns = applyTransform(wide, fit.transform, 5);
      for (const k of [0, 3]) {
        expect(fit.status[k]).toBe("ok");
        for (const v of targets)
          expect(Math.abs(pearson(columns[k]!, columnOf(wide, 5, v)))).toBeLessThan(1e-12);
      }
    }
  });

  it("never gets a penalty below zero by default: what then stays correlated is so negatively", () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const random = createRandom(seed);
      const mixed = mixedRewards(400, 8, random.uniform.bind(random));
      const options = { numObjectives: 8, targets: [5, 6, 7], correlation: "pearson" as const };
      const fit = fitRewardTransform(mixed, options);
      const columns = applyTransform(mixed, fit.transform, 8);
      for (let k = 0; k < 5; k++) {
        expect(fit.status[k]).toBe("ok");
        options.targets.forEach((v, i) => {
          const penalty = fit.penalties[i * 8 + k]!;
          const after = pearson(columns[k]!, columnOf(mixed, 8, v));
          expect(fit.correlationsAfter[i * 8 + k]).toBeCloseTo(after, 10);
          if (penalty > 0) expect(Math.abs(after)).toBeLessThan(1e-12);
          else {
            expect(penalty).toBe(0);
            expect(after).toBeLessThan(1e-12);
          }
        });
      }
    }
  });

  it("names what it has no penalty for, as ranks do", () => {
    const target = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
    const rows = target.flatMap((value, n) => [
      value,
      0.5 * value,
      7,
      n === 2 ? Number.NaN : n,
      value + n,
      0.1,
    ]);
    const one = { numObjectives: 6, targets: [0], correlation: "pearson" as const };
    expect(fitRewardTransform(rows, one).status).toEqual([
      "target",
      "jump",
      "constant",
      "not-finite",
      "ok",
      "constant",
    ]);
    const constant = fitRewardTransform(rows, { ...one, targets: [2] });
    expect(constant.status).toEqual([
      "constant-target",
      "constant-target",
      "target",
      "not-finite",
      "constant-target",
      "constant-target",
    ]);
    const made = rewards.slice();
    for (let n = 0; n < 3000; n++) made[n * K] = made[n * K + 1]! + 0.5 * made[n * K + 2]!;
    const fit = fitRewardTransform(made, { numObjectives: K, targets: [1, 2], correlation: "pearson" });
    expect(fit.status[0]).toBe("no-joint-solution");
    expect(fit.penalties[0]).toBe(0);
  });
});

describe("what is left on the reference", () => {
  // Continuous rewards, and rewards on a coarse grid, so that many tie.
  it.each([
    ["distinct rewards, one target", 0, [7]],
    ["distinct rewards, two targets", 0, [6, 7]],
    ["distinct rewards, three targets", 0, [5, 6, 7]],
    ["tied rewards, one target", 0.02, [7]],
    ["tied rewards, two targets", 0.02, [6, 7]],
  ])("is a correlation within 0.005 of zero: %s", (_, grid, targets) => {
    const K = 8;
    let jumps = 0;
    for (const seed of [11, 12, 13]) {
      const random = createRandom(seed);
      const rewards = mixedRewards(3000, K, random.uniform.bind(random)).map((value) =>
        grid === 0 ? value : Math.round(value / grid) * grid,
      );
      for (const correlation of ["spearman", "pearson"] as const) {
        const fit = fitRewardTransform(rewards, { numObjectives: K, targets, correlation, signed: true });
        const measure = correlation === "spearman" ? spearman : pearson;
        const columns = applyTransform(rewards, fit.transform, K);
        for (let k = 0; k < K - targets.length; k++) {
          expect(fit.status[k]).toBe("ok");
          for (const v of targets) {
            const left = Math.abs(measure(columns[k]!, columnOf(rewards, K, v)));
            if (grid > 0 && targets.length === 1 && left > 0.005) {
              // Ties make ranks jump over zero here; there is no root.
              expect(rankCorrelationAt(fit.penalties[k]! - 1e-6, rewards, k, v)).toBeGreaterThan(0.005);
              expect(rankCorrelationAt(fit.penalties[k]! + 1e-6, rewards, k, v)).toBeLessThan(-0.005);
              jumps++;
            } else {
              expect(left).toBeLessThanOrEqual(0.005);
            }
          }
        }
      }
    }
    expect(jumps).toBeLessThan(5); // of 21 roots
  });

  function rankCorrelationAt(penalty: number, rewards: Float64Array, k: number, v: number): number {
    const target = columnOf(rewards, 8, v);
    return spearman(
      columnOf(rewards, 8, k).map((value, n) => value - penalty * target[n]!),
      target,
    );
  }
});

describe("the options", () => {
  it("give the identity without targets", () => {
    const fit = fitRewardTransform([1, 2, 3, 4], { numObjectives: 2, targets: [] });
    expect(Array.from(fit.transform)).toEqual([1, 0, 0, 1]);
    expect(fit.status).toEqual(["ok", "ok"]);
  });

  it("are refused where they cannot be meant", () => {
    const fitting = (options: object) => () =>
      fitRewardTransform([1, 2, 3, 4], { numObjectives: 2, targets: [0], ...options });
    expect(fitting({ numObjectives: 3 })).toThrow(TypeError);
    expect(fitting({ targets: [2] })).toThrow("fitRewardTransform: targets must be in [0, 2), got 2");
    expect(fitting({ targets: [0, 0] })).toThrow(RangeError);
    expect(fitting({ targets: [0, 1], method: "grid" })).toThrow("grid takes one target");
    expect(fitting({ threshold: 0 })).toThrow(RangeError);
    expect(fitting({ correlation: "pearson", method: "grid" })).toThrow("grid goes with spearman");
  });
});

const columnOf = (rewards: Float64Array, K: number, k: number): Float64Array =>
  Float64Array.from({ length: rewards.length / K }, (_, n) => rewards[n * K + k]!);

/** The columns of rewards @ T. */
function applyTransform(rewards: Float64Array, transform: Float64Array, K: number): Float64Array[] {
  return Array.from({ length: K }, (_, k) =>
    Float64Array.from({ length: rewards.length / K }, (_, n) => {
      let sum = rewards[n * K + k]! * transform[k * K + k]!;
      for (let i = 0; i < K; i++) if (i !== k) sum += rewards[n * K + i]! * transform[i * K + k]!;
      return sum;
    }),
  );
}

/** `[N, 4]`: objectives 1 and 2 go together, 0 rises with both, 3 rises with 1 and falls with 2. */
function correlatedRewards(rows: number): Float64Array {
  const random = createRandom(5);
  const noise = () => random.uniform() + random.uniform() + random.uniform() - 1.5;
  const rewards = new Float64Array(rows * 4);
  for (let n = 0; n < rows; n++) {
    const a = noise();
    const b = 0.4 * a + noise();
    rewards.set([noise() + 0.6 * a + 0.5 * b, a, b, noise() + 0.8 * a - 0.6 * b], n * 4);
  }
  return rewards;
}

/** `[N, K]`: every objective a random mixture of shared and own noise. */
function mixedRewards(rows: number, K: number, uniform: () => number): Float64Array {
  const noise = () => uniform() + uniform() + uniform() - 1.5;
  const mixture = Float64Array.from({ length: K * 3 }, noise);
  const rewards = new Float64Array(rows * K);
  for (let n = 0; n < rows; n++) {
    const shared = [noise(), noise(), noise()];
    for (let k = 0; k < K; k++) {
      rewards[n * K + k] = shared.reduce((sum, value, i) => sum + value * mixture[k * 3 + i]!, 0.5 * noise());
    }
  }
  return rewards;
}
