// SPDX-License-Identifier: BSL-1.0
// What a call costs that succeeds at once or fails once, beside the bare call and the loop by hand.
import { CountBreaker, ConstantBackoff, circuitBreaker, handleAll, retry, wrap } from 'cockatiel';
import CircuitBreaker from 'opossum';
import { print, version } from '../print.mjs';

const quick = process.argv.includes('--quick');
const rounds = quick ? 10 : 40;

async function timed(batch, call) {
  const begin = process.hrtime.bigint();
  for (let i = 0; i < batch; ++i) await call(i);
  return Number(process.hrtime.bigint() - begin) / batch;
}

/// Both in turn, many times. The least of each counts: what else the machine does only adds.
async function compare(batch, bare, call) {
  const seen = { bare: Infinity, whole: Infinity };
  for (let i = 0; i < rounds; ++i) {
    seen.bare = Math.min(seen.bare, await timed(batch, bare));
    seen.whole = Math.min(seen.whole, await timed(batch, call));
  }
  return seen;
}

function tell(work, name, seen, above, note) {
  const line = { work, name, version: version(name.split(',')[0], import.meta.url),
                 unit: `ns above ${above}`, value: seen.whole - seen.bare, whole: seen.whole };
  print(note ? { ...line, note } : line);
}

const ask = async (question) => question + 1;
const retried = retry(handleAll, { maxAttempts: 2, backoff: new ConstantBackoff(0) });
// The same rule as recoup's default: half of the last 100 calls.
const guard = () => circuitBreaker(handleAll, {
  halfOpenAfter: 30_000,
  breaker: new CountBreaker({ threshold: 0.5, size: 100, minimumNumberOfCalls: 100 }),
});
const guarded = guard();
const both = wrap(retry(handleAll, { maxAttempts: 2, backoff: new ConstantBackoff(0) }), guard());
const opened = new CircuitBreaker(ask, { timeout: false, volumeThreshold: 100 });

const bare = 'the bare call';
const many = 20_000;
const first = await compare(many, ask, (q) => retried.execute(() => ask(q)));
print({ work: 'bare call', name: 'JavaScript, async', version: process.version, unit: 'ns',
        value: first.bare });
tell('success at once, retry', 'cockatiel', first, bare);
tell('success at once, breaker', 'cockatiel',
     await compare(many, ask, (q) => guarded.execute(() => ask(q))), bare);
tell('success at once, retry and breaker', 'cockatiel',
     await compare(many, ask, (q) => both.execute(() => ask(q))), bare);
tell('success at once, breaker', 'opossum', await compare(many, ask, (q) => opened.fire(q)), bare,
     'timeout off');
opened.shutdown();

const failsOnce = () => {
  let failed = false;
  return async (question) => {
    failed = !failed;
    if (failed) throw new Error('connection reset');
    return question;
  };
};
const one = failsOnce();
const other = failsOnce();
const byHand = async (question) => {
  for (let attempt = 1; ; ++attempt) {
    try {
      return await one(question);
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
};
tell('one failure, then success, no wait', 'cockatiel, exceptions',
     await compare(quick ? 20 : 50, byHand, (q) => retried.execute(() => other(q))),
     'the loop by hand', 'its shortest wait is a timer of 1 ms');
