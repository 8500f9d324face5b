// A figure as the pages show it.

/** Two decimals of a ratio below 2, else two significant digits; or as many as the figure has. @param {{ value?: number, unit?: string, digits?: number }} figure */
export function shown({ value, unit, digits }) {
  if (value === undefined) throw new RangeError("no value");
  if (unit === undefined && digits === undefined && value < 2) return value.toFixed(2);
  const rounded = value.toPrecision(digits ?? 2);
  return value < 100 ? rounded : Number(rounded).toLocaleString("en-US");
}
