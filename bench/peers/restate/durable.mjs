// SPDX-License-Identifier: BSL-1.0
// Durable operations on Restate: `rates`, or `dies` and `resumes` with an operation's key. The server
// is told in RESTATE_INGRESS and RESTATE_ADMIN, and the port of this service in SERVICE_PORT.
import * as restate from '@restatedev/restate-sdk';
import { createServer } from 'node:http2';
import { now, print, rate, version } from '../print.mjs';

const entered = now();
const [role, key] = process.argv.slice(2);
const quick = process.argv.includes('--quick');
const { RESTATE_INGRESS, RESTATE_ADMIN, SERVICE_PORT } = process.env;
const about = { name: 'Restate', version: version('@restatedev/restate-server', import.meta.url) };

let steps = 0;
const service = restate.service({
  name: 'bench',
  handlers: {
    tenSteps: async (context, number) => {
      for (let i = 0; i < 10; ++i) {
        await context.run('step', () => number + i);
        ++steps;
      }
      return number;
    },
    twoSteps: async (context) => {
      await context.run('first', () => {
        if (role === 'resumes') throw new restate.TerminalError('a recorded step ran again');
        return 7;
      });
      return context.run('second', () => {
        if (role === 'dies') process.kill(process.pid, 'SIGKILL');
        print({ work: 'resumed after kill -9', ...about, unit: 'ms', entered_ns: entered,
                went_on_ns: now(),
                note: 'its service is killed, its server is not; it calls again after 500 ms, its ' +
                      'default' });
        return 7;
      });
    },
  },
});

const asked = async (url, headers, body) => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${text}`);
  return text;
};
const call = (handler, id, body) =>
  asked(`${RESTATE_INGRESS}/bench/${handler}`, { 'idempotency-key': id }, body);

const endpoint = createServer(restate.createEndpointHandler({ services: [service] }));
await new Promise((then) => endpoint.listen(Number(SERVICE_PORT), '127.0.0.1', then));
if (role !== 'resumes')
  await asked(`${RESTATE_ADMIN}/deployments`, {},
              { uri: `http://127.0.0.1:${SERVICE_PORT}`, force: true });

if (role === 'rates') {
  let next = 1;
  const one = async () => {
    const number = next++;
    if ((await call('tenSteps', `${now()}-${number}`, number)) !== String(number))
      throw new Error('the result of another operation');
  };
  const span = quick ? 500 : 3_000;
  const note = 'its own server and log, one node: syncs its write-ahead log (its default), replicates ' +
               'to itself alone; asked over HTTP';
  const tell = async (work, callers) => print({
    work, ...about, unit: 'steps/s', value: await rate(callers, span, one, () => steps), note });
  await rate(1, span / 10, one, () => steps);
  await tell('durable steps, one operation at a time', 1);
  await tell('durable steps, 50 operations in flight', 50);
} else {
  await call('twoSteps', key, 7);  // the same key again joins what is under way
}
process.exit(0);
