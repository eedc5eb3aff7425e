// Spike: from RATE to PEAK at once, and back. Nobody is refused, and afterwards it is as before.
import { env, number, phaseOf, seconds, settings, shape, thresholds, trafficOf } from './lib.js';

const sent = trafficOf('mix');
const third = seconds(env('DURATION', '45s')) / 3;
const phases = [
  { name: 'before', rate: number('RATE', 200), seconds: third },
  { name: 'spike', rate: number('PEAK', 2000), seconds: third },
  { name: 'after', rate: number('RATE', 200), seconds: third },
];
const settled = number('SETTLED_P99', 100);

export const options = {
  ...settings,
  scenarios: { spike: shape(phases) },
  thresholds: thresholds(sent.kinds, {
    // A spike may queue: how long is P99_SPIKE, in milliseconds.
    'http_req_duration{kind:valid}': [],
    'http_req_duration{phase:before}': [`p(99)<${settled}`],
    'http_req_duration{phase:spike}': [`p(99)<${number('P99_SPIKE', 2000)}`],
    'http_req_duration{phase:after}': [`p(99)<${settled}`],
  }),
};

export default function () {
  sent.send(phaseOf(phases));
}
