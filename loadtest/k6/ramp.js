// Ramp to the knee: STEPS rates, each held for STEP, from RATE on in even steps to PEAK. The knee is the last rate at which
// nothing was left unsent and p99 stayed below P99; ../run names it. No answer is wrong on either side of it, and the first
// step must be below.
import { env, number, phaseOf, seconds, settings, shape, thresholds, trafficOf } from './lib.js';

const sent = trafficOf('cached');
const steps = Math.max(number('STEPS', 8), 2);
const first = number('RATE', 500);
const phases = Array.from({ length: steps }, (_, i) => {
  const rate = Math.round(first + ((number('PEAK', 4000) - first) * i) / (steps - 1));
  return { name: `${rate}`, rate, seconds: seconds(env('STEP', '6s')) };
});

// Empty thresholds have the summary list each step by itself.
const each = {};
for (const p of phases) {
  each[`http_req_duration{phase:${p.name}}`] = [];
  each[`http_reqs{phase:${p.name}}`] = [];
}
each['http_req_duration{kind:valid}'] = [];
each[`http_req_duration{phase:${phases[0].name}}`] = [`p(99)<${number('P99', 50)}`];
each[`http_reqs{phase:${phases[0].name}}`] = [`count>=${0.98 * phases[0].rate * phases[0].seconds}`];

export const options = { ...settings, scenarios: { ramp: shape(phases) }, thresholds: thresholds(sent.kinds, each) };

export default function () {
  sent.send(phaseOf(phases));
}
