// Steady: one kind of traffic at one rate. TRAFFIC is cached, distinct or mix.
import { env, number, offered, seconds, settings, shape, thresholds, trafficOf } from './lib.js';

const sent = trafficOf('mix');
const phases = [{ name: 'steady', rate: number('RATE', 500), seconds: seconds(env('DURATION', '1m')) }];

export const options = { ...settings, scenarios: { steady: shape(phases) }, thresholds: thresholds(sent.kinds, offered(phases)) };

export default function () {
  sent.send();
}
