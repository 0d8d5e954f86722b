// SPDX-License-Identifier: BSL-1.0
// Durable operations on DBOS Transact: `rates`, or `dies` and `resumes` with an operation's key.
// PostgreSQL is the environment's.
import { DBOS } from '@dbos-inc/dbos-sdk';
import { now, print, rate, version } from '../print.mjs';

const entered = now();
const [role, key] = process.argv.slice(2);
const quick = process.argv.includes('--quick');
const about = { name: 'DBOS Transact', version: version('@dbos-inc/dbos-sdk', import.meta.url) };
const { PGUSER, PGPASSWORD, PGHOST, PGPORT } = process.env;

let steps = 0;
const tenSteps = DBOS.registerWorkflow(async (number) => {
  for (let i = 0; i < 10; ++i) {
    await DBOS.runStep(async () => number + i, { name: 'step' });
    ++steps;
  }
  return number;
}, { name: 'ten_steps' });

const twoSteps = DBOS.registerWorkflow(async () => {
  await DBOS.runStep(async () => {
    if (role === 'resumes') throw new Error('a recorded step ran again');
    return 7;
  }, { name: 'first' });
  await DBOS.runStep(async () => {
    if (role === 'dies') process.kill(process.pid, 'SIGKILL');
    print({ work: 'resumed after kill -9', ...about, unit: 'ms', entered_ns: entered,
            went_on_ns: now(),
            note: 'an executor of the same name takes over what it finds, without a lease' });
    return 7;
  }, { name: 'second' });
}, { name: 'two_steps' });

DBOS.setConfig({
  name: 'bench',
  applicationVersion: '1',
  logLevel: 'error',
  systemDatabasePoolSize: 20,
  systemDatabaseUrl: `postgresql://${PGUSER}:${PGPASSWORD}@${PGHOST}:${PGPORT}/dbos_bench`,
});
await DBOS.launch();

if (role === 'dies') {
  await DBOS.startWorkflow(twoSteps, { workflowID: key })();
  await new Promise((then) => setTimeout(then, 60_000));
} else if (role === 'resumes') {
  await DBOS.retrieveWorkflow(key).getResult();
} else {
  let next = 1;
  const one = async () => {
    const number = next++;
    const run = await DBOS.startWorkflow(tenSteps, { workflowID: `${now()}-${number}` })(number);
    if ((await run.getResult()) !== number) throw new Error('the result of another operation');
  };
  const span = quick ? 500 : 3_000;
  const note = 'the same PostgreSQL server; synchronous_commit and fsync on';
  const tell = async (work, callers) => print({
    work, ...about, unit: 'steps/s', value: await rate(callers, span, one, () => steps), note });
  await rate(1, span / 10, one, () => steps);
  await tell('durable steps, one operation at a time', 1);
  await tell('durable steps, 50 operations in flight', 50);
}
await DBOS.shutdown();
process.exit(0);
