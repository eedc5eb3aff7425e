// What the scripts share: the tokens, requests that know how they must be answered, shapes of load and thresholds.
// Settings come from the environment or from `k6 run -e NAME=value`; ../run sets those of a local run.
//
//   TARGET    URL of something behind the proxy that answers 200 to GET with a good token; required
//   TOKENS    file of good tokens, one a line; required
//   EXPIRED   file of expired tokens, well signed; without it no expired ones are sent
//   RATE      requests a second; DURATION of the whole run, such as 30s or 5m; VUS clients to begin with
//   USERS     how many of TOKENS the cached traffic uses
//   P99       what valid requests must stay below, in milliseconds
//   IDENTITY  1: the upstream answers with the subject alone, and each answer is held against the token's
//   CONTROL   URL of ../run's control; without it the script says what is to be done, and when
import { check } from 'k6';
import encoding from 'k6/encoding';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import http from 'k6/http';

export const env = (name, otherwise) => __ENV[name] || `${otherwise}`;

export function number(name, otherwise) {
  const n = Number(env(name, otherwise));
  if (!(n >= 0)) throw new Error(`${name}=${__ENV[name]} is not a number`);
  return n;
}

// seconds reads a duration such as 90s, 5m or 1h30m.
export function seconds(text) {
  if (!/^(\d+[hms])+$/.test(text)) throw new Error(`${text} is not a duration such as 30s, 5m or 1h30m`);
  return text.match(/\d+[hms]/g).reduce((sum, part) => sum + parseInt(part) * { h: 3600, m: 60, s: 1 }[part.slice(-1)], 0);
}

// tokensOf reads a file of tokens once for all clients. A relative path is the caller's, not the script's.
export function tokensOf(name, required) {
  const path = __ENV[name];
  if (!path && required) {
    throw new Error(`${name} is not set: a file of tokens, one a line, as \`sallyport token mint -count 1000 -out FILE\` writes it`);
  }
  return new SharedArray(name, () => (path ? open(path[0] === '/' ? path : `${__ENV.PWD}/${path}`).split('\n').filter(Boolean) : []));
}

if (!__ENV.TARGET) throw new Error('TARGET is not set: the URL to load, as in k6 run -e TARGET=http://127.0.0.1:8080/api/ -e TOKENS=FILE');
export const tokens = tokensOf('TOKENS', true);
const expired = tokensOf('EXPIRED', false);
export const hasExpired = expired.length > 0;
const identity = __ENV.IDENTITY === '1';
const users = Math.min(number('USERS', 1000), tokens.length);

// How each kind of request must be answered. A flood beyond what the node can check may be told so (BUSY=1, see flood.js).
export const busy = __ENV.BUSY === '1';
const want = { valid: [200], forged: busy ? [401, 503] : [401], unknown_kid: busy ? [401, 503] : [401] };
for (const kind of ['expired', 'none', 'garbage', 'withdrawn']) want[kind] = [401];
const wanted = {};
for (const kind in want) wanted[kind] = http.expectedStatuses(...want[kind]);

// ask sends one request of a kind, and says what was wrong with the first answer of each client that was.
let complaints = 0;
export function ask(kind, token, phase) {
  const tags = phase ? { kind, phase, name: kind } : { kind, name: kind };
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const res = http.get(__ENV.TARGET, { headers, tags, responseCallback: wanted[kind], responseType: identity ? 'text' : 'none' });
  if (!want[kind].includes(res.status) && ++complaints === 1) {
    const why = res.error || `WWW-Authenticate: ${res.headers['Www-Authenticate']}, X-Request-Id: ${res.headers['X-Request-Id']}`;
    console.error(`${kind}: got ${res.status}, want ${want[kind].join(' or ')} (${why})`);
  }
  if (identity && res.status === 200) {
    check(res, { 'the upstream saw the subject of this token': (r) => r.body.trim() === claimsOf(token).sub }, tags);
  }
}

const decode = (part) => encoding.b64decode(part, 'rawurl', 's');
const claimsOf = (token) => JSON.parse(decode(token.split('.')[1]));
export const random = (n) => Math.floor(Math.random() * n);

// zipf returns a rank below n, k with a probability near 1/(k+1): the busiest of 100 000 users sends every 17th request.
export const zipf = (n) => Math.floor((n + 1) ** Math.random()) - 1;

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const noise = (n) => Array.from({ length: n }, () => letters[random(64)]).join('');

// forge changes eight characters inside the signature, where it stays well-formed under every algorithm: it has to be checked
// whole, and no two are equal.
export function forge(token) {
  const at = token.lastIndexOf('.') + 9;
  return token.slice(0, at) + noise(8) + token.slice(at + 8);
}

// unknownKid names a key that nobody has, another one each time.
export function unknownKid(token) {
  const [header, payload, signature] = token.split('.');
  const named = JSON.stringify({ ...JSON.parse(decode(header)), kid: noise(16) });
  return [encoding.b64encode(named, 'rawurl'), payload, signature].join('.');
}

const any = () => tokens[random(tokens.length)];

// requests sends one request of a kind.
export const requests = {
  valid: (phase) => ask('valid', any(), phase),
  expired: (phase) => ask('expired', expired[random(expired.length)], phase),
  forged: (phase) => ask('forged', forge(any()), phase),
  unknown_kid: (phase) => ask('unknown_kid', unknownKid(any()), phase),
  none: (phase) => ask('none', '', phase),
  garbage: (phase) => ask('garbage', noise(40), phase),
};

// traffic is what the clients of an edge send; the kinds are those that must have been seen in the end.
export const traffic = {
  // A few users, over and over.
  cached: { kinds: ['valid'], send: (phase) => ask('valid', tokens[random(users)], phase) },
  // Each token once.
  distinct: {
    kinds: ['valid'],
    send: (phase) => {
      const i = exec.scenario.iterationInTest;
      if (i >= tokens.length) exec.test.abort(`all ${tokens.length} tokens have been used: give a larger file, or a lower RATE or DURATION`);
      return ask('valid', tokens[i], phase);
    },
  },
  // As a real edge sees it: some users come often and most rarely, 5 % of the tokens have expired, 1 % are forged.
  mix: {
    kinds: hasExpired ? ['valid', 'expired', 'forged'] : ['valid', 'forged'],
    send: (phase) => {
      const i = exec.scenario.iterationInTest % 100;
      if (i === 0) return requests.forged(phase);
      if (i < 6 && hasExpired) return requests.expired(phase);
      return ask('valid', tokens[zipf(tokens.length)], phase);
    },
  },
};

// trafficOf returns the traffic named TRAFFIC.
export function trafficOf(otherwise) {
  const name = env('TRAFFIC', otherwise);
  if (!traffic[name]) throw new Error(`TRAFFIC=${name} is none of ${Object.keys(traffic).join(', ')}`);
  return traffic[name];
}

// shape is an open-loop scenario through phases of { name, rate, seconds }. Requests are due at the rate, whatever the answers do.
export function shape(phases, more) {
  const vus = number('VUS', 50);
  return {
    executor: 'ramping-arrival-rate', startRate: phases[0].rate, timeUnit: '1s', preAllocatedVUs: vus, maxVUs: 10 * vus, gracefulStop: '10s',
    stages: phases.flatMap((p) => [{ target: p.rate, duration: '0s' }, { target: p.rate, duration: `${p.seconds}s` }]), ...more,
  };
}

// phaseOf returns the name of the phase that the scenario is in.
export function phaseOf(phases) {
  let t = (Date.now() - exec.scenario.startTime) / 1000;
  return (phases.find((p) => (t -= p.seconds) < 0) || phases[phases.length - 1]).name;
}

// thresholds are what every script holds: each of the kinds was sent, and answered as it must be. A threshold without samples
// passes, hence the count; an empty one only has the summary list its part. maxFailed is the part of the valid requests that may
// fail.
export function thresholds(kinds, more, maxFailed) {
  const t = {};
  for (const kind of kinds) {
    t[`http_reqs{kind:${kind}}`] = ['count>0'];
    t[`http_req_duration{kind:${kind}}`] = kind === 'valid' ? [`p(99)<${number('P99', 500)}`] : [];
    t[`http_req_failed{kind:${kind}}`] = [kind === 'valid' && maxFailed ? `rate<=${+maxFailed.toFixed(6)}` : 'rate==0'];
  }
  if (identity) t.checks = ['rate==1'];
  return { ...t, ...more };
}

// offered is the threshold that says whether the clients could send what the phases ask for: at most 1 % may be left out.
export function offered(phases) {
  const all = phases.reduce((sum, p) => sum + p.rate * p.seconds, 0);
  return { dropped_iterations: [`count<=${Math.ceil(all / 100)}`] };
}

// control has ../run do something to the proxy or its issuer, or says on a deployment of yours that it is time to.
export function control(action, whatToDo) {
  if (!__ENV.CONTROL) {
    console.warn(`now: ${whatToDo}`);
    return;
  }
  const res = http.post(`${__ENV.CONTROL}/${action}`, null, {
    tags: { kind: 'control', name: action }, responseType: 'text', responseCallback: http.expectedStatuses(200),
  });
  if (res.status !== 200) console.error(`${action}: ${res.status} ${res.error || res.body}`);
}

export const controlled = () => (__ENV.CONTROL ? ['control'] : []);

// settings are the options that all scripts have.
export const settings = { summaryTrendStats: ['count', 'med', 'p(95)', 'p(99)', 'p(99.9)', 'max'] };
