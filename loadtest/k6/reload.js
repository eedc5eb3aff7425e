// Reload under load: a changed config every EVERY seconds. No request fails.
import { control, controlled, env, number, offered, seconds, settings, shape, thresholds, trafficOf } from './lib.js';

const sent = trafficOf('mix');
const every = number('EVERY', 1);
const phases = [{ name: 'reload', rate: number('RATE', 300), seconds: seconds(env('DURATION', '30s')) }];

export const options = {
  ...settings,
  scenarios: {
    users: shape(phases, { exec: 'users' }),
    reload: {
      executor: 'constant-arrival-rate', rate: 1, timeUnit: `${every}s`, duration: `${phases[0].seconds - 1}s`, startTime: '1s',
      preAllocatedVUs: 1, maxVUs: 1, exec: 'reload',
    },
  },
  thresholds: thresholds(sent.kinds.concat(controlled()), offered(phases)),
};

export function users() {
  sent.send();
}

export function reload() {
  control('reload', 'change the config and reload (systemctl reload sallyport)');
}
