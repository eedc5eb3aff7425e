// Key rotation under load: the issuer publishes a second key, signs with it LEAD later, then withdraws the first. Nobody is refused
// meanwhile; afterwards what the first key signed is.
//
//   TOKENS       signed with the first key, TOKENS_NEXT with the second
//   REFRESH      how long the proxy may not notice: the issuer's refresh_interval
//   LEAD         how long a key is published before it signs. Default 0s, the hard case: only by fetching at once, and letting the
//                first users wait for it, can a proxy refuse nobody
import { ask, control, controlled, env, number, phaseOf, random, seconds, settings, shape, thresholds, tokens, tokensOf } from './lib.js';

const next = tokensOf('TOKENS_NEXT', true);
const rate = number('RATE', 200);
const each = seconds(env('DURATION', '30s')) / 3;
const refresh = seconds(env('REFRESH', '10s')) + 3;
const lead = seconds(env('LEAD', '0s'));
const first = Math.max(each, lead + 1);
const phases = [
  { name: 'first', rate, seconds: first },
  { name: 'both', rate, seconds: each },
  { name: 'second', rate, seconds: Math.max(each, refresh + 1) },
  { name: 'withdrawn', rate, seconds: each },
];

export const options = {
  ...settings,
  scenarios: {
    users: shape(phases, { exec: 'users' }),
    // The second key is published before anybody uses it, were it for a moment, the first withdrawn after it was used last.
    publish: once('publish', first - Math.max(lead, 0.5)),
    withdraw: once('withdraw', first + each + 1),
  },
  thresholds: thresholds(['valid', 'withdrawn'].concat(controlled()), {
    'http_req_duration{phase:first}': [],
    'http_req_duration{phase:both}': [],
    'http_req_duration{phase:second}': [],
  }),
};

function once(name, at) {
  return { executor: 'shared-iterations', vus: 1, iterations: 1, startTime: `${at}s`, exec: name };
}

export function publish() {
  control('publish', 'publish the key of TOKENS_NEXT beside that of TOKENS');
}

export function withdraw() {
  control('withdraw', 'withdraw the key of TOKENS');
}

export function users() {
  const phase = phaseOf(phases);
  const [old, young] = [tokens[random(tokens.length)], next[random(next.length)]];
  const even = Math.random() < 0.5;
  if (phase === 'first' || (phase === 'both' && even)) return ask('valid', old, phase);
  if (phase === 'withdrawn' && even) return ask('withdrawn', old, phase);
  return ask('valid', young, phase);
}
