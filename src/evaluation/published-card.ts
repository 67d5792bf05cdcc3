// What the model card of RLHFlow/ArmoRM-Llama3-8B-v0.1 prints for its own example.

import { classesOf, type ModelConfig } from "../scoring/model-directory.ts";
import type { VerifyCard } from "./verify-card.ts";

const HUB_ID = "RLHFlow/ArmoRM-Llama3-8B-v0.1";

/** Whether a model is the published one: by its hub id, with or without a revision, or by what its configuration says. */
export function isPublishedModel(location: string, config: ModelConfig): boolean {
  if (location === HUB_ID || location.startsWith(`${HUB_ID}@`)) return true;
  return (
    classesOf(config).includes("LlamaForRewardModelWithGating") &&
    config.hidden_size === 4096 &&
    config.num_hidden_layers === 32 &&
    config.vocab_size === 128_257 &&
    (config.num_objectives ?? 19) === 19
  );
}

/** Prompt, responses and values as the card has them; it prints values for the first response alone. */
export const PUBLISHED_CARD: VerifyCard = {
  source: `model card of ${HUB_ID}, also README of armo-rm in RLHFlow/RLHF-Reward-Modeling; human ratings from HelpSteer`,
  tolerance: 0.05,
  note: "The card's values come from a bf16 run; other arithmetic differs by rounding. Another run of the example gave values within 0.03.",
  prompt: [{ role: "user", content: 'What are some synonyms for the word "beautiful"?' }],
  responses: [
    {
      content: "Nicely, Beautifully, Handsome, Stunning, Wonderful, Gorgeous, Pretty, Stunning, Elegant",
      coefficients: {
        "code-complexity": 0.19922,
        "helpsteer-verbosity": -0.10864,
        "ultrafeedback-instruction_following": 0.07861,
      },
      ratings: {
        "helpsteer-helpfulness": 2.78125,
        "helpsteer-correctness": 2.859375,
        "helpsteer-coherence": 3.484375,
        "helpsteer-complexity": 1.3847656,
        "helpsteer-verbosity": 1.296875,
      },
      humanRatings: {
        "helpsteer-helpfulness": 3,
        "helpsteer-correctness": 3,
        "helpsteer-coherence": 4,
        "helpsteer-complexity": 2,
        "helpsteer-verbosity": 2,
      },
    },
    {
      content: [
        'Certainly! Here are some synonyms for the word "beautiful":',
        "",
        "1. Gorgeous",
        "2. Lovely",
        "3. Stunning",
        "4. Attractive",
        "5. Pretty",
        "6. Elegant",
        "7. Exquisite",
        "8. Handsome",
        "9. Charming",
        "10. Alluring",
        "11. Radiant",
        "12. Magnificent",
        "13. Graceful",
        "14. Enchanting",
        "15. Dazzling",
        "",
        "These synonyms can be used in various contexts to convey the idea of beauty.",
      ].join("\n"),
    },
    { content: "Sorry i cannot answer this." },
  ],
};
