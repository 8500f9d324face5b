// A Wasm module's own account of itself: its types, names and memory, read from the binary
// (https://webassembly.github.io/spec/core/binary/modules.html). Only the parts that tests need.

const TYPES: { readonly [code: number]: string } = { 127: "i32", 126: "i64", 125: "f32", 124: "f64" };

export interface Module {
  /** `env.send` and its signature: `(i32, i32, i32, i32) -> i32`. */
  imports: Map<string, string>;
  /** Functions by their signatures; anything else by its kind. */
  exports: Map<string, string>;
  memory: { minimum: number; maximum: number | null };
  /** A function runs by itself when the module is instantiated. */
  starts: boolean;
  /** Functions, globals and whatever else the name section names; none in a release build. */
  names: string[];
}

const KINDS = ["func", "table", "memory", "global"];

export function parse(bytes: Uint8Array): Module {
  let at = 0;
  const byte = () => bytes[at++] as number;
  const u32 = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const b = byte();
      value |= (b & 0x7f) << shift;
      if (b < 0x80) return value >>> 0;
    }
  };
  const text = () => {
    const length = u32();
    at += length;
    return Buffer.from(bytes.subarray(at - length, at)).toString();
  };
  const list = <T>(item: () => T): T[] => Array.from({ length: u32() }, item);
  const limits = () => {
    const flags = byte();
    const minimum = u32();
    return { minimum, maximum: flags & 1 ? u32() : null };
  };
  const valueType = () => {
    const type = TYPES[byte()];
    if (type === undefined) throw new Error("a type that is no number");
    return type;
  };

  const magic = Buffer.from(bytes.subarray(0, 8)).toString("hex");
  if (magic !== "0061736d01000000") throw new Error("no Wasm module of version 1");
  at = 8;

  const module: Module = {
    imports: new Map(),
    exports: new Map(),
    memory: { minimum: 0, maximum: null },
    starts: false,
    names: [],
  };
  let types: string[] = [];
  const functions: string[] = [];
  while (at < bytes.length) {
    const section = byte();
    const end = u32() + at;
    switch (section) {
      case 0:
        if (text() === "name") {
          while (at < end) {
            const kind = byte();
            const next = u32() + at;
            // 0 is the module's name, 2 and 3 are nested: locals, labels.
            if (kind === 1 || kind > 3) {
              list(() => {
                u32(); // its index
                module.names.push(text());
              });
            }
            at = next;
          }
        }
        break;
      case 1:
        types = list(() => {
          byte(); // 0x60: a function
          const parameters = list(valueType).join(", ");
          const results = list(valueType).join(", ");
          return `(${parameters})${results === "" ? "" : ` -> ${results}`}`;
        });
        break;
      case 2:
        list(() => {
          const name = `${text()}.${text()}`;
          if (byte() !== 0) throw new Error(`${name}: an import that is no function`);
          const signature = types[u32()] as string;
          functions.push(signature);
          module.imports.set(name, signature);
        });
        break;
      case 3:
        functions.push(...list(() => types[u32()] as string));
        break;
      case 5:
        module.memory = list(limits)[0] ?? module.memory;
        break;
      case 7:
        list(() => {
          const name = text();
          const kind = byte();
          const index = u32();
          module.exports.set(name, kind === 0 ? (functions[index] as string) : (KINDS[kind] as string));
        });
        break;
    }
    if (section === 8) module.starts = true;
    at = end;
  }
  return module;
}
