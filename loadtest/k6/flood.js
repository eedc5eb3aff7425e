// Flood: good users at RATE, and in the middle of the run FLOOD_RATE tokens a second that must be refused, no two of them equal.
// FLOOD is forged (each signature has to be checked) or unknown_kid (each names a key that the issuer might just have made).
// What the node can check is answered 401. For more than that set BUSY=1: then 503 is a right answer to the flood, and at least
// the part GOOD (0.95) of the good requests must pass; 200 to any of the flood fails in either case.
import { busy, env, number, phaseOf, requests, seconds, settings, shape, thresholds, traffic } from './lib.js';

const kind = env('FLOOD', 'forged');
if (kind !== 'forged' && kind !== 'unknown_kid') throw new Error(`FLOOD=${kind} is neither forged nor unknown_kid`);
const third = seconds(env('DURATION', '30s')) / 3;
const rate = number('RATE', 200);
const good = [
  { name: 'before', rate, seconds: third },
  { name: 'flood', rate, seconds: third },
  { name: 'after', rate, seconds: third },
];
const flood = [{ name: 'flood', rate: number('FLOOD_RATE', 500), seconds: third }];

export const options = {
  ...settings,
  scenarios: {
    good: shape(good, { exec: 'users' }),
    flood: shape(flood, { exec: 'attackers', startTime: `${third}s` }),
  },
  thresholds: thresholds(['valid', kind], {
    'http_req_duration{kind:valid,phase:before}': [],
    'http_req_duration{kind:valid,phase:flood}': [],
    'http_req_duration{kind:valid,phase:after}': [],
  }, 1 - number('GOOD', busy ? 0.95 : 1)),
};

export function users() {
  traffic.cached.send(phaseOf(good));
}

export function attackers() {
  requests[kind]('flood');
}
