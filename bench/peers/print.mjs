// SPDX-License-Identifier: BSL-1.0
// What the programs in JavaScript share.
import { readFileSync, writeSync } from 'node:fs';

/// Writes one line of JSON at once.
export function print(line) {
  writeSync(1, JSON.stringify(line) + '\n');
}

/// The version of an installed package.
export function version(name, beside) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, beside))).version;
}

/// Of the clock that all processes share, in nanoseconds.
export const now = () => Number(process.hrtime.bigint());

/// Steps a second of `callers`, each with one operation after the other. `one()` is an operation,
/// `steps()` tells how many steps were made until now.
export async function rate(callers, milliseconds, one, steps) {
  let stop = false;
  let ready = 0;
  const all = Array.from({ length: callers }, async () => {
    await one();
    ++ready;
    while (!stop) await one();
  });
  const failed = Promise.all(all);
  const pause = (time) => Promise.race([new Promise((then) => setTimeout(then, time)), failed]);
  // Measured once all are under way, until the first one is told to stop.
  while (ready < callers) await pause(1);
  const before = steps();
  const begin = performance.now();
  await pause(milliseconds);
  const made = steps() - before;
  const took = performance.now() - begin;
  stop = true;
  await failed;
  return (made / took) * 1000;
}
