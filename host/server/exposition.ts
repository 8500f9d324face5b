// Metrics in the text format of OpenMetrics 1.0.

export const MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

export interface Family {
  readonly type: "counter" | "gauge" | "info";
  readonly help: string;
  /** The last part of its name. */
  readonly unit?: string;
  readonly samples: readonly Sample[];
}

export type Sample = readonly [value: number, labels?: { readonly [name: string]: string }];

/** Behind the name of a family. */
const SUFFIXES = { counter: "_total", gauge: "", info: "_info" } as const;

/** `families` by name, which ends in the unit, if there is one, and never in `_total`. */
export function expose(families: { readonly [name: string]: Family }): string {
  const lines: string[] = [];
  for (const [name, { type, help, unit, samples }] of Object.entries(families)) {
    lines.push(`# TYPE ${name} ${type}`);
    if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`);
    lines.push(`# HELP ${name} ${escaped(help)}`);
    for (const [value, labels = {}] of samples) {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
      lines.push(`${name}${SUFFIXES[type]}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`);
    }
  }
  return `${lines.join("\n")}\n# EOF\n`;
}

const escaped = (text: string) => text.replace(/[\\"\n]/g, (one) => (one === "\n" ? "\\n" : `\\${one}`));
