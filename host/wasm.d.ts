// The core's bytes as a module, so that a bundle has them and no permission is asked for a file: build.js, at the
// project's root, writes build/host/wasm.js when the core is built.

/** The bytes of core.wasm. */
export function wasm(): Uint8Array<ArrayBuffer>;
