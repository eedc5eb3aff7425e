// Smoke: one of everything, over and over. Valid tokens pass, whatever else is refused with 401. How long that takes is shown and
// not judged: it runs on busy machines too.
import exec from 'k6/execution';

import { env, hasExpired, number, requests, seconds, settings, shape, thresholds } from './lib.js';

const kinds = ['valid', 'forged', 'unknown_kid', 'none', 'garbage'].concat(hasExpired ? ['expired'] : []);
const phases = [{ name: 'all', rate: number('RATE', 60), seconds: seconds(env('DURATION', '20s')) }];

export const options = {
  ...settings,
  scenarios: { smoke: shape(phases) },
  thresholds: thresholds(kinds, { 'http_req_duration{kind:valid}': [] }),
};

export default function () {
  // As many valid ones as all others together.
  requests.valid();
  requests[kinds[1 + (exec.scenario.iterationInTest % (kinds.length - 1))]]();
}
