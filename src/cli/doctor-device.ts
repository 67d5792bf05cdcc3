// The program of the child process in which doctor starts a device: drivers write where they like, and may crash.

import type { StartedDevice } from "./doctor-providers.ts";

const answer = (message: StartedDevice) => process.send!(message, () => process.disconnect());

try {
  const { computesF16, DEVICES, startDevice } = await import("../engine/devices.ts");
  const device = DEVICES.find((name) => name === process.argv[2])!;
  await startDevice(device);
  answer({ starts: true, f16: await computesF16(device) });
} catch (error) {
  answer({ starts: false, reason: (error as Error).message });
}
