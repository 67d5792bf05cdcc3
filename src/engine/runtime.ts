import { createRequire } from "node:module";

// ONNX Runtime's packages send telemetry by default, and write a device id below the home folder. Nothing leaves this
// process unless the user asks for it: the variable counts only while the library is being loaded.
process.env.ORT_DISABLE_TELEMETRY ??= "1";

/** ONNX Runtime, loaded with its telemetry off. Nothing else in this package imports it. */
export const ort: typeof import("onnxruntime-node") = createRequire(import.meta.url)("onnxruntime-node");

/** Its version. */
export const RUNTIME_VERSION = ort.env.versions.node ?? ort.env.versions.common;
