// What a chart keeps of a benchmark's results: where they come from, in words and in full, and its own values.

/** @param {any} data what a benchmark wrote @param {(data: any) => any[]} values of a chart */
export function record(data, values) {
  const { date, command, machine, runs } = data;
  const linux = machine.kernel.match(/^\d+\.\d+/)?.[0];
  const about = `${machine.cpu.replace(" x ", " × ")}, Linux ${linux}, ${runs === 1 ? "one run" : `medians of ${runs}`}`;
  return { about, date, command, machine, values: values(data) };
}
