// The core's bytes as a module, so that bundles include them and no file permission is needed: build.js, at the
// project's root, writes build/host/wasm.js when the core is built.

/** The bytes of core.wasm. */
export function wasm(): Uint8Array<ArrayBuffer>;

/** That of the package. */
export const version: string;
