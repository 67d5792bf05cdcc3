// The engines by the name that locations give them.

import type { Engine } from "../../checkpoint/remote-location.ts";
import type { Dialect } from "./dialect.ts";
import { llamaServer } from "./llama-server.ts";
import { vllm } from "./vllm.ts";

export const DIALECTS: Readonly<Record<Engine, Dialect>> = { vllm, "llama-server": llamaServer };
