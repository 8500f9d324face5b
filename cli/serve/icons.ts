// Icons by type, drawn by the style alone: a row has a letter for its kind.

/** Extensions by kind; anything else is a plain sheet of paper. */
const KINDS: readonly [letter: string, extensions: RegExp][] = [
  ["i", /^(?:apng|avif|bmp|gif|heic|ico|jpe?g|jxl|png|psd|svg|tiff?|webp)$/],
  ["v", /^(?:avi|m4v|mkv|mov|mp4|mpe?g|ogv|webm|wmv)$/],
  ["m", /^(?:aac|aiff?|flac|m4a|midi?|mp3|oga|ogg|opus|wav|wma)$/],
  ["z", /^(?:7z|br|bz2|deb|dmg|gz|iso|jar|rar|rpm|tar|tbz2?|tgz|txz|xz|zip|zst)$/],
  ["t", /^(?:csv|docx?|epub|log|md|od[pst]|pdf|pptx?|rtf|tex|tsv|txt|xlsx?)$/],
  [
    "c",
    /^(?:[ch]|cc|cjs|cpp|cs|css|cts|go|hpp|html?|java|jsx?|json|kt|lua|mjs|mts|php|pl|py|rb|rs|sh|sql|swift|toml|tsx?|vue|wasm|xml|ya?ml)$/,
  ],
];

/** The class of a file's cell. */
export function kindOf(name: string): string {
  const extension = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  if (extension.length === name.length) return "";
  return KINDS.find(([, extensions]) => extensions.test(extension))?.[0] ?? "";
}

const SHEET = "M5 2h7l4 4v12H5zM12 2v4h4";

/** Paths in a square of 20, stroked. */
const PATHS: { readonly [name: string]: string } = {
  file: SHEET,
  folder: "M2.5 5a1 1 0 0 1 1-1h4l2 2.2h7a1 1 0 0 1 1 1V15a1 1 0 0 1-1 1h-13a1 1 0 0 1-1-1zM2.5 9h15",
  up: "M10 16.500V4M5 9l5-5 5 5",
  i: "M3 4h14v12H3zM3 14l4-4 3 3 3-3 4 4M7 7.200v.1",
  v: "M3 4.500h14v11H3zM8.5 7.500v5l4-2.500z",
  m: "M7.5 15V5l8-1.500V13M7.5 15a2 1.7 0 1 1-4 0 2 1.7 0 0 1 4 0zM15.5 13a2 1.7 0 1 1-4 0 2 1.7 0 0 1 4 0z",
  z: "M4 3.500h12v13H4zM10 3.500v2M10 7v2M8.5 11h3v3h-3z",
  t: `${SHEET}M8 9h5M8 12h5M8 15h3`,
  c: `${SHEET}M9 9.500l-2 2 2 2M12 9.500l2 2-2 2`,
  save: "M10 3v9M6 8.500l4 4 4-4M4 16.500h12",
  find: "M13.2 13.200L17 17M14.5 9a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0z",
};

/** A mask, which takes its colour from the element. */
export function mask(name: string): string {
  const path = PATHS[name] as string;
  const fill = /^(?:up|save|find)$/.test(name) ? "fill='none'" : "fill-opacity='.15'";
  const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20' ${fill} stroke='black' stroke-width='1.5' stroke-linejoin='round' stroke-linecap='round'><path d='${path}'/></svg>`;
  return `url("data:image/svg+xml,${svg.replace(/[<>#]/g, encodeURIComponent)}")`;
}

/** The letters that have an icon of their own. */
export const LETTERS = KINDS.map(([letter]) => letter);
