import { expect, test } from "vitest";
import { smallFiles } from "../../../src/checkpoint/hub/needed-files.ts";

test("what belongs beside every copy of the weights is downloaded with them, and nothing else that lies there", () => {
  const wanted = [
    "config.json",
    "tokenizer.json",
    "README.md",
    "LICENSE.txt",
    "NOTICE",
    "USE_POLICY.md",
    "generation_config.json",
  ];
  const others = [
    "pytorch_model.bin",
    "original/LICENSE",
    "notice_of_sale.pdf",
    "noticed.txt",
    "modeling_custom.py",
  ];
  expect(smallFiles([...others, ...wanted].toSorted()).toSorted()).toEqual(wanted.toSorted());
});
