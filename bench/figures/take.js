// From what a bench wrote to a record of it: a run replaces a record as a whole, or not at all.

import { taken } from "./query.js";

/** @typedef {import("./records.js").Published} Published */

/**
 * A record with the results of another run, or what this run lacks.
 *
 * @param {Published} record @param {any} data what the bench wrote @param {(data: any) => any[]} [chart] picks what it is drawn from
 * @returns {{ record: Published } | { lacks: string[] }}
 */
export function retaken({ values: former, figures: figuresOf = {}, ...record }, data, chart) {
  const values = chart?.(data);
  const found = Object.entries(figuresOf).map(([key, figure]) => ({
    key,
    figure,
    result: taken(values === undefined ? data : { ...data, values }, figure.from),
  }));
  const lacks = found.filter(({ result }) => result === undefined).map(({ key }) => key);
  // A run of some rows would take the others from the chart.
  if (values && former && values.length > 0 && values.length < former.length)
    lacks.push(`${former.length - values.length} of its values`);
  if (values?.length === 0) lacks.push("all of its values");
  if (lacks.length > 0) return { lacks };
  const { date, command, machine } = data;
  const figures = Object.fromEntries(
    found.map(({ key, figure, result }) => {
      const { value, quartiles, ...rest } = figure;
      return [key, computed(figure) ? rest : { ...rest, ...result }];
    }),
  );
  return {
    record: {
      ...record,
      about: about(data),
      date,
      command,
      machine,
      ...(values && { values }),
      ...(found.length > 0 && { figures }),
    },
  };
}

/** Whether it stands in its record's own values. @param {import("./records.js").Figure} figure */
const computed = ({ from }) => from !== undefined && from.at === undefined;

/** @param {any} data */
export function about({ machine, runs }) {
  const linux = machine.kernel.match(/^\d+\.\d+/)?.[0];
  return `${machine.cpu.replace(" x ", " × ")}, Linux ${linux}, ${runs === 1 ? "one run" : `medians of ${runs}`}`;
}
