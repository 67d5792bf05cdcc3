// ONNX Runtime reports memory that ran out in words only: its arenas' own, those of C++, CUDA, cuBLAS and Vulkan, WebGPU's for a
// tensor that it finds no buffers for, and JavaScript's for one at the border.
const OUT_OF_MEMORY =
  /failed to allocate|bad_?alloc|bad allocation|out of memory|allocation failed|ALLOC_FAILED|OUT_OF_(DEVICE|HOST)_MEMORY|\[Invalid Buffer|Too many storage buffers/i;

/** Whether an error says that memory ran out. */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && OUT_OF_MEMORY.test(error.message);
