// ONNX Runtime reports memory that ran out in words only: its arenas' own, those of C++, CUDA, cuBLAS and Vulkan, and
// JavaScript's for a buffer at the border.
const OUT_OF_MEMORY =
  /failed to allocate|bad_?alloc|bad allocation|out of memory|allocation failed|ALLOC_FAILED|OUT_OF_(DEVICE|HOST)_MEMORY/i;

/** Whether an error says that memory ran out. */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error && OUT_OF_MEMORY.test(error.message);
