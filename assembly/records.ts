// Memory for records: taken piece by piece from behind the static data, and never given back. Each
// kind of record keeps a free list of its own.

let top: usize = 0;

/** `size` bytes, aligned to 8; 0 if the memory's maximum is reached. */
export function take(size: usize): usize {
  if (top == 0) top = (__heap_base + 7) & ~7;
  const end = (<usize>memory.size()) << 16;
  if (top + size > end && memory.grow(1) < 0) return 0;
  const at = top;
  top += (size + 7) & ~7;
  return at;
}
